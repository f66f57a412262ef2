// SPDX-License-Identifier: GPL-2.0
/* What is known of services, beside what one watch thinks. */
#include <errno.h>
#include <stdlib.h>

#include "view.h"

size_t get_views(int fd, struct sef_status_args *services, size_t n, struct view **views)
{
	size_t i, left = 0;

	*views = calloc(n ?: 1, sizeof(**views));
	if (!*views)
		fail_errno("cannot list the services");
	for (i = 0; i < n; i++) {
		(*views)[left].status = services[i];
		if (!sef_get_latency(fd, services[i].id, 0, &(*views)[left].latency))
			left++;
		else if (errno != ESRCH)
			fail_sef("cannot ask for the latency of id:%llu",
				 (unsigned long long)services[i].id);
	}
	free(services);
	return left;
}

uint64_t percentile(const struct sef_latency_args *latency, unsigned int percent)
{
	uint64_t total = 0, sum = 0, end;
	int i;

	for (i = 0; i < SEF_LATENCY_BUCKETS; i++)
		total += latency->buckets[i];
	for (i = 0; i < SEF_LATENCY_BUCKETS - 1; i++) {
		sum += latency->buckets[i];
		end = SEF_LATENCY_UNIT_NS << i;
		if (sum * 100 >= total * percent)
			return end < latency->max_ns ? end : latency->max_ns;
	}
	return latency->max_ns;
}

#define STATUS(kind, field)	{ #field, offsetof(struct sef_status_args, field), kind }
#define LATENCY(kind, field)	{ #field, offsetof(struct sef_latency_args, field), kind }

static const struct json_field status_fields[] = {
	STATUS(JSON_U64, id),
	STATUS(JSON_NAME, name),
	STATUS(JSON_STATE, state),
	STATUS(JSON_WHY, why),
	STATUS(JSON_S32, pid),
	STATUS(JSON_U32, uid),
	STATUS(JSON_REPLY, reply),
	STATUS(JSON_S32, wait_status),
	STATUS(JSON_U64, ping_seq),
	STATUS(JSON_U64, pong_seq),
	STATUS(JSON_U64, age_ns),
	STATUS(JSON_U64, silent_ns),
	STATUS(JSON_U64, rtt_ns),
	STATUS(JSON_U32, service_flags),
	STATUS(JSON_U32, watches),
	STATUS(JSON_U32, misses),
	STATUS(JSON_U32, excused),
	STATUS(JSON_U64, credit_ns),
	STATUS(JSON_U32, missed),
	STATUS(JSON_U32, verdicts),
	STATUS(JSON_U32, steps),
	STATUS(JSON_U32, denied),
	STATUS(JSON_U64, period_ns),
	STATUS(JSON_U64, timeout_ns),
	STATUS(JSON_U64, slack_ns),
	STATUS(JSON_U64, grace_ns),
	STATUS(JSON_U64, extend_ns),
	STATUS(JSON_U64, kill_ns),
	STATUS(JSON_U64, last_ns),
	STATUS(JSON_U32, tolerate),
	STATUS(JSON_U32, watch_flags),
	STATUS(JSON_U32, excuse),
	STATUS(JSON_U32, signal),
	STATUS(JSON_U32, last),
	{ 0 }
};

static const struct json_field latency_fields[] = {
	LATENCY(JSON_U64, since_ns),
	LATENCY(JSON_U64, count),
	LATENCY(JSON_U64, sum_ns),
	LATENCY(JSON_U64, min_ns),
	LATENCY(JSON_U64, max_ns),
	LATENCY(JSON_U64, headroom_ns),
	{ 0 }
};

struct json_object *json_view(const struct view *view)
{
	const struct sef_latency_args *latency = &view->latency;
	struct json_object *object = json_object_new_object();
	struct json_object *sub = json_object_new_object();
	struct json_object *buckets = json_object_new_array();
	int i;

	json_add_fields(object, status_fields, &view->status);
	json_add_fields(sub, latency_fields, latency);
	json_object_object_add(sub, "p50_ns", json_object_new_uint64(percentile(latency, 50)));
	json_object_object_add(sub, "p99_ns", json_object_new_uint64(percentile(latency, 99)));
	for (i = 0; i < SEF_LATENCY_BUCKETS; i++)
		json_object_array_add(buckets, json_object_new_uint64(latency->buckets[i]));
	json_object_object_add(sub, "buckets", buckets);
	json_object_object_add(object, "latency", sub);
	return object;
}
