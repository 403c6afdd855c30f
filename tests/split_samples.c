/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * split_samples LIMIT FROM TO - splits the requests FROM/traces-0.bin, metrics-1.bin … into pieces
 * TO/traces-0.0.bin, traces-0.1.bin …, for an independent decoder to judge. Nothing may be too
 * large.
 */
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "otlp/split.h"

#define CAP (64 << 20)

struct target {
	const char *folder;
	const char *name; /* as far as the dot */
	int name_len;
	unsigned pieces;
};

static int write_piece(void *ctx, uint8_t *data, size_t size, size_t items)
{
	struct target *to = ctx;
	char path[4096];
	FILE *f;

	(void)items;
	snprintf(path, sizeof(path), "%s/%.*s.%u.bin", to->folder, to->name_len, to->name,
		 to->pieces++);
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		err(EXIT_FAILURE, "%s", path);
	free(data);
	return 0;
}

static void split_file(size_t limit, const char *from, const char *folder, const char *name)
{
	struct target to = {folder, name, (int)strcspn(name, "."), 0};
	enum otlp_signal signal = name[0] == 't'   ? OTLP_TRACES
				  : name[0] == 'm' ? OTLP_METRICS
						   : OTLP_LOGS;
	uint8_t *data = malloc(CAP);
	size_t size, too_large;
	char path[4096];
	FILE *f;
	int error;

	snprintf(path, sizeof(path), "%s/%s", from, name);
	f = fopen(path, "rb");
	if (!data || !f)
		err(EXIT_FAILURE, "%s", path);
	size = fread(data, 1, CAP, f);
	fclose(f);
	error = otlp_split(signal, data, size, limit, write_piece, &to, &too_large);
	if (error || too_large)
		errx(EXIT_FAILURE, "%s: error %d, %zu items too large", path, error, too_large);
	free(data);
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 4 ? opendir(argv[2]) : NULL;
	struct dirent *entry;

	if (!dir)
		errx(EXIT_FAILURE, "usage: split_samples LIMIT FROM TO");
	mkdir(argv[3], 0777);
	while ((entry = readdir(dir)))
		if (strstr(entry->d_name, ".bin"))
			split_file(strtoul(argv[1], NULL, 10), argv[2], argv[3], entry->d_name);
	closedir(dir);
	return EXIT_SUCCESS;
}
