// SPDX-License-Identifier: GPL-2.0
/*
 * The page that a service shares with the kernel, by which it pongs with a store.
 *
 * The service may write there what it likes, at any time: what is read is read
 * once, and taken for a pong only if it is the number of a ping that was sent and
 * has no answer yet. Both sides need nothing but single 32-bit loads and stores;
 * the release and acquire around them order what the service did before its pong
 * before what the kernel does upon it.
 *
 * Where the same page at two addresses may be cached twice there is none: neither side
 * would see what the other stores.
 *
 * The page belongs to the service, and stays until that is freed. A mapping
 * holds the service's file, so it never outlives the service.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "sef_compat.h"
#include "sef_ping.h"

static_assert(sizeof(struct sef_page) <= PAGE_SIZE);

static void sef_page_open(struct vm_area_struct *vma)
{
	struct sef_service *svc = vma->vm_private_data;

	spin_lock_irq(&svc->lock);
	svc->nr_maps++;
	spin_unlock_irq(&svc->lock);
}

static void sef_page_close(struct vm_area_struct *vma)
{
	struct sef_service *svc = vma->vm_private_data;

	spin_lock_irq(&svc->lock);
	svc->nr_maps--;
	spin_unlock_irq(&svc->lock);
}

static const struct vm_operations_struct sef_page_ops = {
	.open	= sef_page_open,
	.close	= sef_page_close,
};

/* The service's page, made when it is first asked for; or NULL. */
static struct sef_page *sef_page_get(struct sef_service *svc)
{
	unsigned long new = get_zeroed_page(GFP_KERNEL_ACCOUNT);

	spin_lock_irq(&svc->lock);
	if (new && !svc->page) {
		svc->page = (struct sef_page *)new;
		svc->page->ping_seq = svc->ping_seq;
		svc->page->pong_seq = svc->pong_seq;
		new = 0;
	}
	spin_unlock_irq(&svc->lock);
	free_page(new);
	/* Never another one: only the first call sets it. */
	return svc->page;
}

int sef_page_map(struct sef_service *svc, struct vm_area_struct *vma)
{
	struct sef_page *page;
	int err;

	if (vma->vm_pgoff || vma_pages(vma) != 1 || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (sef_cache_is_aliasing())
		return -ENODEV;
	page = sef_page_get(svc);
	if (!page)
		return -ENOMEM;

	/* VM_IO: madvise() takes neither DONTCOPY nor DONTDUMP back. */
	sef_vm_flags_mod(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
			 VM_MAYEXEC);
	err = vm_insert_page(vma, vma->vm_start, virt_to_page(page));
	if (err)
		return err;
	vma->vm_private_data = svc;
	vma->vm_ops = &sef_page_ops;
	sef_page_open(vma);
	return 0;
}

/* Publish the last ping. */
void sef_page_ping(struct sef_service *svc)
{
	lockdep_assert_held(&svc->lock);

	if (!svc->page)
		return;
	/* Pairs with the service's load, as in sef_page_pong(). */
	smp_store_release(&svc->page->ping_seq, (u32)svc->ping_seq);
}

/* The last ping that is answered there, or 0 if that is nothing new. */
u64 sef_page_answer(struct sef_service *svc)
{
	u32 behind;

	lockdep_assert_held(&svc->lock);

	if (!svc->page)
		return 0;
	/* Pairs with the service's store: what it did before is seen here. */
	behind = (u32)svc->ping_seq - smp_load_acquire(&svc->page->pong_seq);
	if (behind >= svc->ping_seq - svc->pong_seq)
		return 0;
	return svc->ping_seq - behind;
}

void sef_page_free(struct sef_service *svc)
{
	free_page((unsigned long)svc->page);
}
