/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sefctl's parsers under libFuzzer: fuzz/Makefile builds them, fuzz/run runs them.
 *
 * Each file is a target, which includes the source that it is about to get at what is
 * static there. Where sefctl would end, the target goes on with the next input.
 */
#ifndef PARSERS_H
#define PARSERS_H

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Where fail() goes to. */
extern jmp_buf given_up;

/* What holds of any input, or it is found. */
#define HOLDS(what) do { if (!(what)) abort(); } while (0)

/* The first @len bytes, and a NUL: for free(). */
char *string_of(const uint8_t *bytes, size_t len);
/* Of the input's strings, one behind the other's NUL, the next; for free(). */
char *next_string(const uint8_t **bytes, size_t *len);

#endif /* PARSERS_H */
