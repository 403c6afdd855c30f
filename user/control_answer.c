/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/control_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/clock.h"
#include "user/control_flows.h"
#include "user/control_request.h"
#include "user/control_status.h"
#include "user/json.h"
#include "user/log.h"

#define ANSWER_WORKER_NS 1000000000ULL /* how long workers are waited for, all together */

static uint64_t answer_deadline(void)
{
	return clock_mono_ns() + ANSWER_WORKER_NS;
}

static int answer_no_worker(unsigned worker, char why[CONTROL_WHY_CAP])
{
	snprintf(why, CONTROL_WHY_CAP, "worker %u did not answer within a second: it is overloaded",
		 worker);
	return -ETIMEDOUT;
}

static int answer_sample(const struct control_opts *o, const struct control_request *r, FILE *out)
{
	struct probe_sampling before, now;
	struct auto_control_status rate;
	struct json j;

	probe_sampling(o->probe, &before);
	if (r->sample_auto)
		auto_control_release(o->rate);
	else
		auto_control_fix(o->rate, r->sample_n);
	probe_sampling(o->probe, &now);
	auto_control_status(o->rate, &rate);
	if (!r->json) {
		fprintf(out, "%s in %" PRIu64 "%s, before: 1 in %" PRIu64 "\n",
			now.mode == OPTIONS_SAMPLE_PACKET ? "taking 1 packet" : "keeping 1 flow",
			now.n, rate.is_auto ? " (auto)" : "", before.n);
		return 0;
	}
	json_init(&j, out);
	json_open_object(&j, NULL);
	json_add_uint(&j, "interval", now.n);
	json_add_uint(&j, "before", before.n);
	json_add_bool(&j, "auto", rate.is_auto);
	json_close(&j);
	fputc('\n', out);
	return 0;
}

static int answer_flush(const struct control_opts *o, const struct control_request *r, FILE *out,
			char why[CONTROL_WHY_CAP])
{
	uint64_t deadline_ns = answer_deadline();
	unsigned w;

	for (w = 0; w < o->options->workers; w++)
		if (worker_flush(o->workers[w], deadline_ns))
			return answer_no_worker(w, why);
	meter_flush(o->meter);
	fputs(r->json ? "{\"flushed\":true}\n" : "flushed\n", out);
	return 0;
}

static int answer_flows(const struct control_opts *o, struct control_request *r, FILE *out,
			char why[CONTROL_WHY_CAP])
{
	uint64_t deadline_ns = answer_deadline();
	struct control_flows *f;
	unsigned w;
	int err;

	err = control_flows_create(&f, o->probe, r, why);
	if (err)
		return err;
	for (w = 0; w < o->options->workers && !err; w++)
		if (worker_each_flow(o->workers[w], control_flows_see, f, deadline_ns))
			err = answer_no_worker(w, why);
	if (!err)
		control_flows_write(f, out);
	control_flows_destroy(f);
	return err;
}

static int answer_do(const struct control_answer_opts *opts, struct control_request *r, FILE *out,
		     char why[CONTROL_WHY_CAP])
{
	const struct control_opts *o = opts->control;

	switch (r->verb) {
	case CONTROL_STATUS:
		control_status_write(o, opts->begun_mono_ns, r->json, out);
		return 0;
	case CONTROL_SAMPLE:
		return answer_sample(o, r, out);
	case CONTROL_FLUSH:
		return answer_flush(o, r, out, why);
	case CONTROL_FLOWS:
		return answer_flows(o, r, out, why);
	case CONTROL_STOP:
		log_info("stopping, as asked by ringspan ctl");
		fputs(r->json ? "{\"stopping\":true}\n" : "stopping\n", out);
		return 0;
	case CONTROL_VERB_MAX:
		break;
	}
	return -EINVAL;
}

char *control_answer(const struct control_answer_opts *opts, const char *text, size_t len,
		     size_t *ret_size, bool *ret_stop)
{
	char why[CONTROL_WHY_CAP] = "", *buf = NULL;
	struct control_request r;
	FILE *out = open_memstream(&buf, ret_size);
	int err;

	if (!out)
		return NULL;
	err = control_request_parse(&r, text, len, why);
	if (!err) {
		fputs("ok\n", out);
		err = answer_do(opts, &r, out, why);
		*ret_stop = !err && r.verb == CONTROL_STOP;
	}
	if (err) {
		rewind(out); /* nothing is written before it is known to go well, but "ok" */
		fprintf(out, "error\n%s\n", why[0] ? why : strerror(-err));
	}
	if (fclose(out) || *ret_size > CONTROL_ANSWER_BYTES) {
		free(buf);
		return NULL;
	}
	return buf;
}
