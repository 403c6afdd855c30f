/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/encode_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct otlp_attr three[] = {
	TEXT("a", "äöü€"), {.key = STR("b"), OTLP_INT}, TEXT("c", "xyz")};
static const struct otlp_event events[] = {
	{.name = STR("e1"), .attrs = {three, 3}},
	{.name = STR("e2")},
	{.name = STR("e3")},
};
static const struct otlp_link links[] = {
	{.trace_id = {1}, .span_id = {2}, .attrs = {three, 3}},
	{.trace_id = {3}, .span_id = {4}},
};
static const struct otlp_span span = {
	.trace_id = {[15] = 1},
	.span_id = {[7] = 1},
	.trace_state = OTLP_STR("ot=th:fd70a"),
	.name = OTLP_STR("tcp https"),
	.attrs = {three, 3},
	.events = events,
	.events_len = 3,
	.links = links,
	.links_len = 2,
	.status = OTLP_STATUS_ERROR,
	.status_message = OTLP_STR("refused"),
};
#define SPAN_HEAD                                                                                  \
	"2{1=00000000000000000000000000000001 2=0000000000000001 3'ot=th:fd70a'5'tcp https'"
#define LINK_HEAD(trace, span)                                                                     \
	"13{1=" trace "000000000000000000000000000000 2=" span "00000000000000 "
static const struct otlp_log log_record = {
	.time_unix_ns = 3,
	.body = OTLP_STR("a body is text of its own"),
	.attrs = {three, 3},
};

static struct otlp_limits none(void)
{
	struct otlp_limits l;

	memset(&l, 0xff, sizeof(l));
	assert_int_equal(l.attrs, OTLP_NO_LIMIT);
	return l;
}

static void test_encode_limits_count_what_is_cut_off(void **state)
{
	struct otlp_limits l = none();

	(void)state;
	l.attrs = 2;
	l.events = 1;
	l.links = 1;
	l.event_attrs = 1;
	l.link_attrs = 0;
	encode_assert_dump(&l, OTLP_TRACES, &span,
			   HEAD_DUMP(SPAN_HEAD
				     "9{1'a'2{1'äöü€'}}9{1'b'2{3:0 }}10:1 "
				     "11{2'e1'3{1'a'2{1'äöü€'}}4:2 }12:2 " LINK_HEAD(
					     "01", "02") "5:3 }14:1 15{2'refused'3:2 }}"));
}

/* What the source left out itself is more of the same. */
static void test_encode_limits_add_to_events_left_out_before(void **state)
{
	struct otlp_limits l = none();
	struct otlp_span s = span;

	(void)state;
	s.attrs.len = s.links_len = 0;
	s.status = OTLP_STATUS_UNSET;
	s.events_dropped = 298;
	l.events = 1;
	l.event_attrs = 0;
	encode_assert_dump(&l, OTLP_TRACES, &s, HEAD_DUMP(SPAN_HEAD "11{2'e1'4:3 }12:300 }"));
	s.events_len = 0;
	encode_assert_dump(&l, OTLP_TRACES, &s, HEAD_DUMP(SPAN_HEAD "12:298 }"));
}

/* Of exactly as many as there are, nothing is cut, and no count written. */
static void test_encode_limits_that_are_not_passed_change_nothing(void **state)
{
	struct otlp_limits l = {.attrs = 3,
				.value_chars = 4,
				.events = 3,
				.links = 2,
				.event_attrs = 3,
				.link_attrs = 3,
				.log_attrs = 3,
				.log_value_chars = 4};
	char *with, *without;

	(void)state;
	with = encode_dump(&encode_source, &l, OTLP_TRACES, &span, 1);
	without = encode_dump(&encode_source, NULL, OTLP_TRACES, &span, 1);
	assert_string_equal(with, without);
	free(with);
	free(without);
	with = encode_dump(&encode_source, &l, OTLP_LOGS, &log_record, 1);
	without = encode_dump(&encode_source, NULL, OTLP_LOGS, &log_record, 1);
	assert_string_equal(with, without);
	free(with);
	free(without);
}

static void test_encode_limits_of_zero_leave_nothing(void **state)
{
	const struct otlp_limits l = {0};

	(void)state;
	encode_assert_dump(&l, OTLP_TRACES, &span,
			   HEAD_DUMP(SPAN_HEAD "10:3 12:3 14:2 15{2'refused'3:2 }}"));
	encode_assert_dump(&l, OTLP_LOGS, &log_record,
			   HEAD_DUMP("2{1:3 5{1'a body is text of its own'}7:3 }"));
}

/* Names, states and messages are no attribute values. */
static void test_encode_limits_shorten_attribute_texts_only(void **state)
{
	struct otlp_limits l = none();

	(void)state;
	l.value_chars = 2;
	encode_assert_dump(
		&l, OTLP_TRACES, &span,
		HEAD_DUMP(SPAN_HEAD
			  "9{1'a'2{1'äö'}}9{1'b'2{3:0 }}9{1'c'2{1'xy'}}"
			  "11{2'e1'3{1'a'2{1'äö'}}3{1'b'2{3:0 }}3{1'c'2{1'xy'}}}11{2'e2'}"
			  "11{2'e3'}" LINK_HEAD("01", "02") "4{1'a'2{1'äö'}}4{1'b'2{3:0 }}"
							    "4{1'c'2{1'xy'}}}" LINK_HEAD(
								    "03",
								    "04") "}15{2'refused'3:2 }}"));
	encode_assert_dump(&l, OTLP_LOGS, &log_record,
			   HEAD_DUMP("2{1:3 5{1'a body is text of its own'}6{1'a'2{1'äöü€'}}"
				     "6{1'b'2{3:0 }}6{1'c'2{1'xyz'}}}"));
}

static void test_encode_limits_of_logs_are_their_own(void **state)
{
	struct otlp_attr attrs[] = {three[0], three[1], three[2]};
	struct otlp_log log = log_record;
	struct otlp_limits l = none();

	(void)state;
	log.attrs = (struct otlp_attrs){attrs, 3};
	/* what lies beside a number is no text's length */
	memset(&attrs[1].value, 0xff, sizeof(attrs[1].value));
	attrs[1].value.integer = 0;
	l.log_value_chars = 3;
	encode_assert_dump(&l, OTLP_LOGS, &log,
			   HEAD_DUMP("2{1:3 5{1'a body is text of its own'}6{1'a'2{1'äöü'}}"
				     "6{1'b'2{3:0 }}6{1'c'2{1'xyz'}}}"));
	l.log_attrs = 1;
	encode_assert_dump(&l, OTLP_LOGS, &log_record,
			   HEAD_DUMP("2{1:3 5{1'a body is text of its own'}6{1'a'2{1'äöü'}}7:2 }"));
}

static void test_encode_limits_spare_resource_and_metrics(void **state)
{
	const struct otlp_limits l = {0};
	const struct otlp_point point = {.time_unix_ns = 2, .attrs = ATTRS(TEXT("a", "b"))};
	const struct otlp_metric metric = {
		.name = OTLP_STR("m"), .type = OTLP_SUM, .points = &point, .points_len = 1};

	(void)state;
	encode_assert_dump(&l, OTLP_METRICS, &metric,
			   HEAD_DUMP("2{1'm'7{1{3:2 6:0 7{1'a'2{1'b'}}}2:2 }}"));
}

/* Characters of any size, valid and not, at any limit: what is cut, then repaired, is what is
 * repaired, then cut; never a half character. */
static void test_encode_limits_cut_between_characters(void **state)
{
	static const char *const in[] = {"a", "é", "€", "😀", "\xff", "\xe2\x82", "\xf0\x9f\x98"};
	static const char *const out[] = {"a", "é", "€", "😀", "\ufffd", "\ufffd", "\ufffd"};
	struct otlp_attr attr = TEXT("k", "");
	struct otlp_log log = {.attrs = {&attr, 1}};
	struct otlp_limits l = none();
	unsigned seed = 1, round, chars, i;
	char text[64], want[64], *dump;

	(void)state;
	for (round = 0; round < 200; round++) {
		for (chars = 0; chars <= 7; chars++) {
			char *w = want, *t = text;

			srand(seed + round);
			for (i = 0; i < 6; i++) {
				size_t which = (size_t)rand() % LENGTH(in);

				t = stpcpy(t, in[which]);
				/* not continued by the next one, as that never begins with 10xxxxxx
				 */
				if (i < chars)
					w = stpcpy(w, out[which]);
			}
			*w = '\0';
			attr.value.string = (struct otlp_str){text, (size_t)(t - text)};
			l.log_value_chars = chars;
			dump = encode_dump(&encode_source, &l, OTLP_LOGS, &log, 1);
			assert_non_null(strstr(dump, "6{1'k'2{1'"));
			w = strstr(dump, "6{1'k'2{1'") + strlen("6{1'k'2{1'");
			assert_memory_equal(w, want, strlen(want));
			assert_memory_equal(w + strlen(want), "'}}", 3);
			free(dump);
		}
	}
}

/* An attribute that is left out cannot break a rule, and takes no room. */
static void test_encode_limits_do_not_look_at_what_they_leave_out(void **state)
{
	const struct otlp_attr attrs[] = {TEXT("a", "b"), {.type = OTLP_INT}};
	const struct otlp_log log = {.time_unix_ns = 3, .attrs = {attrs, 2}};
	struct otlp_limits l = none();

	(void)state;
	encode_assert_refused(OTLP_LOGS, &log);
	l.log_attrs = 1;
	encode_assert_dump(&l, OTLP_LOGS, &log, HEAD_DUMP("2{1:3 6{1'a'2{1'b'}}7:1 }"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_limits_count_what_is_cut_off),
		cmocka_unit_test(test_encode_limits_add_to_events_left_out_before),
		cmocka_unit_test(test_encode_limits_that_are_not_passed_change_nothing),
		cmocka_unit_test(test_encode_limits_of_zero_leave_nothing),
		cmocka_unit_test(test_encode_limits_shorten_attribute_texts_only),
		cmocka_unit_test(test_encode_limits_of_logs_are_their_own),
		cmocka_unit_test(test_encode_limits_spare_resource_and_metrics),
		cmocka_unit_test(test_encode_limits_cut_between_characters),
		cmocka_unit_test(test_encode_limits_do_not_look_at_what_they_leave_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
