// SPDX-License-Identifier: GPL-2.0
/*
 * What each user has of services, watches and pings, and how much he may have.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "sef_ping.h"

static unsigned int max_services = 16384;
module_param(max_services, uint, 0644);
MODULE_PARM_DESC(max_services, "Services that one user may have at a time");

static unsigned int max_watches = 16384;
module_param(max_watches, uint, 0644);
MODULE_PARM_DESC(max_watches, "Watches that one user may have at a time");

static unsigned int max_pings = 20000;
module_param(max_pings, uint, 0644);
MODULE_PARM_DESC(max_pings, "Pings a second that the watches of one user may ask for");

static const unsigned int *const sef_limits[SEF_NR_LIMITS] = {
	[SEF_LIMIT_SERVICES] = &max_services,
	[SEF_LIMIT_WATCHES] = &max_watches,
	[SEF_LIMIT_PINGS] = &max_pings,
};

static DEFINE_HASHTABLE(sef_users, 6);		/* by uid */

/* Users */

static struct sef_user *sef_user_find(kuid_t uid)
{
	struct sef_user *user;

	lockdep_assert_held(&sef_registry_lock);

	hash_for_each_possible(sef_users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

static struct sef_user *sef_user_get(kuid_t uid)
{
	struct sef_user *user, *spare;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return NULL;
	spare->uid = uid;

	mutex_lock(&sef_registry_lock);
	user = sef_user_find(uid);
	if (!user) {
		user = spare;
		spare = NULL;
		hash_add(sef_users, &user->node, __kuid_val(uid));
	}
	user->refs++;
	mutex_unlock(&sef_registry_lock);

	kfree(spare);
	return user;
}

static void sef_user_put(struct sef_user *user)
{
	bool last;

	if (!user)
		return;
	mutex_lock(&sef_registry_lock);
	last = !--user->refs;
	if (last)
		hash_del(&user->node);
	mutex_unlock(&sef_registry_lock);

	if (last)
		kfree(user);
}

/* Accounts */

/*
 * Inside a user namespace one may have as many uids as one likes, and limits
 * with each. So the user who made the outermost one is charged as well; root
 * is not, whose containers are not each other's.
 */
static kuid_t sef_owner_uid(void)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t uid = GLOBAL_ROOT_UID;

	for (; ns != &init_user_ns; ns = ns->parent)
		uid = ns->owner;
	return uid;
}

int sef_account_open(struct sef_account *account)
{
	kuid_t uid = current_uid(), owner = sef_owner_uid();

	account->user = sef_user_get(uid);
	if (!account->user)
		return -ENOMEM;
	account->owner = NULL;
	if (uid_eq(owner, uid) || uid_eq(owner, GLOBAL_ROOT_UID))
		return 0;
	account->owner = sef_user_get(owner);
	if (account->owner)
		return 0;
	sef_user_put(account->user);
	return -ENOMEM;
}

void sef_account_close(struct sef_account *account)
{
	sef_user_put(account->user);
	sef_user_put(account->owner);
}

void sef_account_hold(struct sef_account *account)
{
	lockdep_assert_held(&sef_registry_lock);

	account->user->refs++;
	if (account->owner)
		account->owner->refs++;
}

static bool sef_user_has_room(const struct sef_user *user,
			      enum sef_limit limit, unsigned int n)
{
	unsigned int max = READ_ONCE(*sef_limits[limit]);

	return user->count[limit] <= max && n <= max - user->count[limit];
}

bool sef_charge(const struct sef_account *account, enum sef_limit limit,
		unsigned int n)
{
	lockdep_assert_held(&sef_registry_lock);

	if (!sef_user_has_room(account->user, limit, n) ||
	    (account->owner && !sef_user_has_room(account->owner, limit, n)))
		return false;
	account->user->count[limit] += n;
	if (account->owner)
		account->owner->count[limit] += n;
	return true;
}

void sef_uncharge(const struct sef_account *account, enum sef_limit limit,
		  unsigned int n)
{
	lockdep_assert_held(&sef_registry_lock);

	account->user->count[limit] -= n;
	if (account->owner)
		account->owner->count[limit] -= n;
}
