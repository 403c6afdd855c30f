/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/pull_board.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIVE_NS 10000000000ULL /* a main loop that was seen within this is alive */

struct pull_board {
	pthread_mutex_t lock; /* guards all of it */
	struct pull_text *texts[PROM_FORMATS]; /* NULL: none yet */
	uint64_t asked_mono_ns[PROM_FORMATS];
	bool is_ready;
	char state[PULL_STATE_CAP];
	uint64_t ticked_mono_ns;
	struct pull_stats stats;
};

static struct pull_text *text_take(char *data, size_t len)
{
	struct pull_text *t = malloc(sizeof(*t));

	if (!t) {
		free(data);
		return NULL;
	}
	atomic_init(&t->refs, 1);
	t->data = data;
	t->len = len;
	return t;
}

struct pull_text *pull_text_copy(const char *text)
{
	char *data = strdup(text);

	return data ? text_take(data, strlen(text)) : NULL;
}

void pull_text_put(struct pull_text *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	free(t->data);
	free(t);
}

int pull_board_create(struct pull_board **ret)
{
	struct pull_board *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->lock, NULL);
	*ret = b;
	return 0;
}

void pull_board_destroy(struct pull_board *b)
{
	size_t i;

	if (!b)
		return;
	for (i = 0; i < PROM_FORMATS; i++)
		pull_text_put(b->texts[i]);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void pull_board_publish(struct pull_board *b, struct prom_text *text)
{
	struct pull_text *fresh = text_take(text->data, text->len), *old;

	text->data = NULL;
	text->len = text->cap = 0;
	if (!fresh)
		return; /* the old one stays */
	pthread_mutex_lock(&b->lock);
	old = b->texts[text->format];
	b->texts[text->format] = fresh;
	pthread_mutex_unlock(&b->lock);
	pull_text_put(old);
}

void pull_board_tick(struct pull_board *b, bool is_ready, const char *text, uint64_t now_mono_ns)
{
	pthread_mutex_lock(&b->lock);
	b->is_ready = is_ready;
	b->ticked_mono_ns = now_mono_ns;
	snprintf(b->state, sizeof(b->state), "%s", text);
	pthread_mutex_unlock(&b->lock);
}

uint64_t pull_board_asked_mono_ns(struct pull_board *b, enum prom_format format)
{
	uint64_t ret;

	pthread_mutex_lock(&b->lock);
	ret = b->asked_mono_ns[format];
	pthread_mutex_unlock(&b->lock);
	return ret;
}

void pull_board_stats(struct pull_board *b, struct pull_stats *ret)
{
	pthread_mutex_lock(&b->lock);
	*ret = b->stats;
	pthread_mutex_unlock(&b->lock);
}

struct pull_text *pull_board_metrics(struct pull_board *b, enum prom_format format,
				     uint64_t now_mono_ns)
{
	struct pull_text *t;

	pthread_mutex_lock(&b->lock);
	b->asked_mono_ns[format] = now_mono_ns;
	t = b->texts[format];
	if (t)
		atomic_fetch_add(&t->refs, 1);
	pthread_mutex_unlock(&b->lock);
	return t;
}

struct pull_text *pull_board_state(struct pull_board *b, bool is_health, uint64_t now_mono_ns,
				   enum pull_status *ret)
{
	struct pull_text *t;
	uint64_t silent_ns;
	char late[80];

	pthread_mutex_lock(&b->lock);
	silent_ns = now_mono_ns > b->ticked_mono_ns ? now_mono_ns - b->ticked_mono_ns : 0;
	*ret = is_health || b->is_ready ? PULL_200 : PULL_503;
	if (silent_ns <= ALIVE_NS) {
		t = pull_text_copy(b->state);
	} else {
		*ret = PULL_503;
		snprintf(late, sizeof(late),
			 "{\"state\":\"the main loop has not turned for %llu s\"}\n",
			 (unsigned long long)(silent_ns / 1000000000));
		t = pull_text_copy(late);
	}
	pthread_mutex_unlock(&b->lock);
	return t;
}

void pull_board_count(struct pull_board *b, enum pull_status status)
{
	pthread_mutex_lock(&b->lock);
	b->stats.answers[status]++;
	pthread_mutex_unlock(&b->lock);
}
