/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A stack: the one given last is taken first, so that no more of them are in use than are needed at
 * the same time, and its bytes may still be in the cache. Its lock is held for a few instructions,
 * and may be taken with that of a queue held.
 */
#include "otlp/spares.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#define SPARES_MAX 16u
#define SMALLEST ((size_t)64 << 10) /* malloc keeps smaller ones itself */
#define WASTE_MAX 4u /* times as large as what is asked for */

struct spare {
	uint8_t *data;
	size_t cap;
};

struct otlp_spares {
	pthread_mutex_t lock;
	size_t cap_bytes, bytes;
	unsigned len;
	struct spare spare[SPARES_MAX];
};

int otlp_spares_create(struct otlp_spares **ret, size_t cap_bytes)
{
	struct otlp_spares *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->cap_bytes = cap_bytes;
	*ret = s;
	return 0;
}

void otlp_spares_destroy(struct otlp_spares *s)
{
	if (!s)
		return;
	while (s->len)
		free(s->spare[--s->len].data);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

uint8_t *otlp_spares_take(struct otlp_spares *s, size_t size)
{
	uint8_t *data = NULL;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = s->len; i--;) {
		if (s->spare[i].cap < size || s->spare[i].cap / WASTE_MAX > size)
			continue;
		data = s->spare[i].data;
		s->bytes -= s->spare[i].cap;
		for (s->len--; i < s->len; i++)
			s->spare[i] = s->spare[i + 1];
		break;
	}
	pthread_mutex_unlock(&s->lock);
	return data ? data : malloc(size);
}

void otlp_spares_give(struct otlp_spares *s, uint8_t *data)
{
	size_t cap = data ? malloc_usable_size(data) : 0;

	if (s && cap >= SMALLEST) {
		pthread_mutex_lock(&s->lock);
		if (s->len < SPARES_MAX && cap <= s->cap_bytes - s->bytes) {
			s->spare[s->len++] = (struct spare){data, cap};
			s->bytes += cap;
			data = NULL;
		}
		pthread_mutex_unlock(&s->lock);
	}
	free(data);
}
