/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deflate.h - the raw-deflate wrapper of a chunk (SPEC 7.7), inside memory that is handed in.
 */
#ifndef OTR_DEFLATE_H
#define OTR_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTR__RAW_SIZE_MAX 65536u

/* What zlib's inflate may ask for: its state (7 KB, some more on 64 bits) and a window of 32 KiB that it may want at the end. */
#define OTR__INFLATE_MEMORY 49152u

/*
 * Inflates the raw-deflate stream in[0, in_size), all of it, into exactly out_size bytes.
 * memory: OTR__INFLATE_MEMORY bytes, aligned as for any type; nothing else is allocated.  False if the stream is anything else.
 */
bool otr__inflate(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size, void *memory);

/*
 * Deflates in[0, in_size) into at most out_size bytes.  memory: OTR__DEFLATE_MEMORY bytes, aligned as for any type.  Returns the size, 0 if there is no room.
 * The bytes depend on the zlib that is linked.
 */
#define OTR__DEFLATE_MEMORY 475136u     /* zlib asks for 64 KiB each of window and chains, 128 of hash table, 128 of output, and its state */
size_t otr__deflate(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size, void *memory);

#endif
