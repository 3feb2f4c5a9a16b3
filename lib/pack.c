/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pack.c - PACK bodies to integers, and back (SPEC 7.3).
 *
 *	OFFSET SIZE FIELD
 *	     0    1 order              o = 0, 1, 2; less than the number of values
 *	     1    1 width              w = 0..64
 *	     2    2 outliers           y, at most values - o; 0 if w = 64
 *	     4    1 layout             0 packed bits; 1 byte planes, only inside deflate, w a multiple of 8
 *	     5    3 zero
 *	     8  8 o seeds              the first value, the first difference
 *	          8 base
 *	            outliers           y u16 positions, padded to 8; then y u64
 *	            residuals
 *
 * 1,000, 1,010, 1,020, 1,031 in order 1: seed 1,000; differences 10, 10, 11; base 10; residuals 0, 0, 1 in one bit each: 32 bytes, as
 * would be 400 such values with 8 * 8 more.  All arithmetic is modulo 2^64, so that INT64_MIN may follow INT64_MAX.
 *
 * Input is hostile: every count is compared with the bytes that are left before it is used.  No allocation.
 */
#include "pack.h"

#include "bits.h"
#include "intmath.h"

#define HEAD_SIZE 8
#define POSITIONS_SIZE(y) (((size_t)(y) * 2 + 7) & ~(size_t)7)

struct body {
	const uint8_t *outlier_at, *outlier, *residual;
	size_t n, residuals;   /* values; values - order */
	uint64_t seed[2], base;
	uint32_t outliers;
	uint8_t order, width, layout;
};

static enum otr_status
corrupt(struct otr_error *err, const char *what, uint64_t actual, uint64_t limit)
{
	return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: %s is %llu, allowed %llu", what, (unsigned long long)actual, (unsigned long long)limit);
}

/* Reads and checks everything but the residuals' values. */
static enum otr_status
read_body(struct otr__reader *r, bool planes, size_t n, struct body *b, struct otr_error *err)
{
	uint16_t outliers;
	size_t size, i, last = 0;

	b->n = n;
	if (!otr__take8(r, &b->order) || !otr__take8(r, &b->width) || !otr__take16(r, &outliers) || !otr__take8(r, &b->layout) ||
	    !otr__take_zero(r, 3))
		return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: head cut off or not zero where it must be");
	if (b->order > 2 || b->order >= n)
		return corrupt(err, "order", b->order, n > 2 ? 2 : n - 1);
	if (b->width > 64)
		return corrupt(err, "width", b->width, 64);
	b->residuals = n - b->order;
	b->outliers = outliers;
	if (outliers > b->residuals || (b->width == 64 && outliers > 0))
		return corrupt(err, "number of outliers", outliers, b->width == 64 ? 0 : b->residuals);
	if (b->layout > (planes ? 1 : 0) || (b->layout == 1 && b->width % 8 != 0))
		return corrupt(err, "layout", b->layout, planes && b->width % 8 == 0 ? 1 : 0);
	for (i = 0; i < b->order; i++)
		if (!otr__take64(r, &b->seed[i]))
			return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: seeds cut off");
	if (!otr__take64(r, &b->base))
		return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: base cut off");

	if (!otr__take_bytes(r, 2 * (size_t)outliers, &b->outlier_at) || !otr__take_zero(r, POSITIONS_SIZE(outliers) - 2 * (size_t)outliers) ||
	    !otr__take_bytes(r, 8 * (size_t)outliers, &b->outlier))
		return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: %u outliers do not fit", (unsigned)outliers);
	for (i = 0; i < outliers; i++) {
		size_t at = otr__get16(b->outlier_at + 2 * i);

		if (at >= b->residuals || (i > 0 && at <= last))
			return corrupt(err, "position of an outlier", at, b->residuals - 1);
		last = at;
		if (b->layout == 0 && otr__get64(b->outlier + 8 * i) >> b->width == 0)
			return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: an outlier fits into the width of %u bits", b->width);
	}

	if (b->layout == 0)
		size = 8 * otr__bits_words(b->residuals, b->width);
	else
		size = b->residuals * (b->width / 8);
	if (!otr__take_bytes(r, size, &b->residual) || !otr__take_zero(r, (0 - size) & 7))
		return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: residuals take %llu bytes, %llu are left", (unsigned long long)size,
		    (unsigned long long)r->left);
	if (b->layout == 0 && !otr__bits_spare_zero(b->residual, b->residuals, b->width))
		return otr__fail(err, OTR_E_CORRUPT, "7.2", "PACK: spare bits are not zero");
	return OTR_OK;
}

/* Every residual into d[], as it lies. */
static inline void
get_residuals(const struct body *b, uint64_t *d)
{
	size_t i, fast = otr__bits_fast_count(b->residuals, b->width);
	uint64_t mask = otr__bits_mask(b->width);
	unsigned plane;

	if (b->layout == 1 || b->width == 0) {
		for (i = 0; i < b->residuals; i++)
			d[i] = 0;
		for (plane = 0; plane < b->width / 8u; plane++)
			for (i = 0; i < b->residuals; i++)
				d[i] |= (uint64_t)b->residual[plane * b->residuals + i] << 8 * plane;
		return;
	}
	for (i = 0; i < fast; i++)
		d[i] = otr__bits_fast(b->residual, i, b->width, mask);
	for (; i < b->residuals; i++)
		d[i] = otr__bits_get(b->residual, i, b->width);
}

/* The general way, step by step as SPEC 7.3 has it: outliers, byte planes, any order. */
static enum otr_status
decode_slowly(const struct body *b, uint64_t *out, struct otr_error *err)
{
	uint64_t *d = out + b->order, x, dx;
	size_t i;

	get_residuals(b, d);
	for (i = 0; i < b->outliers; i++) {
		size_t at = otr__get16(b->outlier_at + 2 * i);

		if (d[at] != 0)
			return otr__fail(err, OTR_E_CORRUPT, "7.3", "PACK: the residual under an outlier is not zero");
		d[at] = otr__get64(b->outlier + 8 * i);
	}
	if (b->layout == 1)
		for (i = 0; i < b->residuals; i++)
			d[i] = d[i] >> 1 ^ (0 - (d[i] & 1));
	if (b->order == 0) {
		for (i = 0; i < b->n; i++)
			out[i] += b->base;
	} else if (b->order == 1) {
		x = out[0] = b->seed[0];
		for (i = 1; i < b->n; i++)
			out[i] = x += out[i] + b->base;
	} else {
		x = out[0] = b->seed[0];
		dx = b->seed[1];
		x = out[1] = x + dx;
		for (i = 2; i < b->n; i++) {
			dx += out[i] + b->base;
			out[i] = x += dx;
		}
	}
	return OTR_OK;
}

/*
 * The usual body, packed bits without outliers, in one pass.  Inlined once for each order, so that the loops below have it as a
 * constant; decode_slowly is the same in steps.  x is the value before, dx the difference before.
 */
#if defined(__GNUC__)
__attribute__((always_inline))      /* -O2 finds it too large */
#endif
static inline void
decode_at_once(const struct body *b, unsigned order, uint64_t *out)
{
	size_t i, fast = otr__bits_fast_count(b->residuals, b->width);
	uint64_t base = b->base, mask = otr__bits_mask(b->width), x = 0, dx = 0, d;
	const uint8_t *stream = b->residual;
	unsigned w = b->width;

	if (order >= 1)
		x = *out++ = b->seed[0];
	if (order == 2) {
		dx = b->seed[1];
		x = *out++ = x + dx;
	}
#define STEP(residual) do { \
		d = (residual) + base; \
		if (order == 0) { \
			out[i] = d; \
		} else { \
			dx = order == 2 ? dx + d : d; \
			out[i] = x += dx; \
		} \
	} while (0)
	if (w == 0 && order == 1) {
		/* regular times: four progressions side by side, so that no sum waits for the one before */
		uint64_t a = x + base, c = a + base, e = c + base, g = e + base, four = 4 * base;

		for (i = 0; i + 4 <= b->residuals; i += 4, a += four, c += four, e += four, g += four) {
			out[i] = a;
			out[i + 1] = c;
			out[i + 2] = e;
			out[i + 3] = g;
		}
		for (; i < b->residuals; i++, a += base)
			out[i] = a;
		return;
	}
	if (w == 0) {
		for (i = 0; i < b->residuals; i++)
			STEP(0);
		return;
	}
	for (i = 0; i < fast; i++)
		STEP(otr__bits_fast(stream, i, w, mask));
	for (; i < b->residuals; i++)
		STEP(otr__bits_get(stream, i, w));
#undef STEP
}

enum otr_status
otr__pack_decode(struct otr__reader *r, bool planes, uint64_t *out, size_t n, struct otr_error *err)
{
	struct body b = { .residual = NULL };
	enum otr_status status = read_body(r, planes, n, &b, err);

	if (status != OTR_OK)
		return status;
	if (b.outliers > 0 || b.layout != 0)
		return decode_slowly(&b, out, err);
	if (b.order == 0)
		decode_at_once(&b, 0, out);
	else if (b.order == 1)
		decode_at_once(&b, 1, out);
	else
		decode_at_once(&b, 2, out);
	return OTR_OK;
}

/* ---- encoding: nothing normative below ------------------------------------------------------------------------------------ */

/* Difference i, i >= order, of the given order. */
static inline uint64_t
difference(const uint64_t *x, size_t i, unsigned order)
{
	if (order == 0)
		return x[i];
	if (order == 1)
		return x[i] - x[i - 1];
	return x[i] - 2 * x[i - 1] + x[i - 2];
}

static size_t
body_size(size_t n, unsigned order, unsigned width, size_t outliers)
{
	return HEAD_SIZE + 8 * order + 8 + POSITIONS_SIZE(outliers) + 8 * outliers + 8 * otr__bits_words(n - order, width);
}

/*
 * The differences by how far they lie from a typical one, c: side 0 those from c on, side 1 those below, by bit length of the distance.
 * Each cell keeps its nearest and farthest distance, so that a window over whole cells is exact.
 */
struct spread {
	uint64_t c;
	uint32_t count[2][65];
	uint64_t near[2][65], far[2][65];
};

static inline void
spread_add(struct spread *s, uint64_t d)
{
	uint64_t away = d - s->c;
	unsigned side = (unsigned)(away >> 63), bits;

	if (side == 1)
		away = 0 - away;
	bits = otr__bit_length(away);
	if (s->count[side][bits]++ == 0)
		s->near[side][bits] = s->far[side][bits] = away;
	if (away < s->near[side][bits])
		s->near[side][bits] = away;
	if (away > s->far[side][bits])
		s->far[side][bits] = away;
}

/*
 * The window [base, base + 2^width) with the smallest body, all outside being outliers: each pair of a lowest and a highest cell is tried.
 * A dozen or two cells are used; more only where the differences are so wild that nothing helps.
 * The spread is of `sampled` differences out of n - order.
 */
static void
best_window(const struct spread *s, size_t n, unsigned order, size_t sampled, struct otr__pack_plan *plan)
{
	struct cell { uint64_t low, high; uint32_t count; } cell[130];
	size_t total = n - order, cells = 0, i, j;
	unsigned bits;

	for (bits = 64; bits >= 1; bits--)
		if (s->count[1][bits] > 0)
			cell[cells++] = (struct cell){ s->c - s->far[1][bits], s->c - s->near[1][bits], s->count[1][bits] };
	for (bits = 0; bits <= 64; bits++)
		if (s->count[0][bits] > 0)
			cell[cells++] = (struct cell){ s->c + s->near[0][bits], s->c + s->far[0][bits], s->count[0][bits] };
	plan->size = SIZE_MAX;
	plan->order = (uint8_t)order;
	for (i = 0; i < cells; i++) {
		size_t inside = 0;

		for (j = i; j < cells; j++) {
			unsigned width = otr__bit_length(cell[j].high - cell[i].low);
			size_t outliers, size;

			inside += cell[j].count;
			outliers = (sampled - inside) * total / sampled;
			if (outliers > 0 && width == 64)
				continue;
			size = body_size(n, order, width, outliers);
			if (size < plan->size)
				*plan = (struct otr__pack_plan){ .base = cell[i].low, .size = size, .outliers = (uint32_t)outliers,
					.order = (uint8_t)order, .width = (uint8_t)width };
		}
	}
}

/* A typical difference: the median of five, since one of them may be an outlier. */
static uint64_t
typical(const uint64_t *x, size_t n, unsigned order)
{
	uint64_t five[5], d;
	size_t i, j, last = n - 1 - order;

	for (i = 0; i < 5; i++) {
		d = difference(x, order + last * i / 4, order);
		for (j = i; j > 0 && otr__i64(five[j - 1]) > otr__i64(d); j--)
			five[j] = five[j - 1];
		five[j] = d;
	}
	return five[2];
}

/* Differences looked at to choose an order: enough to see outliers of one in a hundred.  A block of up to twice as many is seen whole. */
#define SAMPLE 256

#define OUTLIER_BITS 80   /* that an outlier takes: position and number */

static inline void
spread_of(const uint64_t *x, size_t n, unsigned order, size_t step, struct spread *s, size_t *count)
{
	size_t i;

	memset(s->count, 0, sizeof s->count);
	s->c = typical(x, n, order);
	*count = 0;
	for (i = order; i < n; i += step) {
		spread_add(s, difference(x, i, order));
		++*count;
	}
}

/* Least and greatest difference as distances from c, signed; 0, c's own, is between them. */
static inline void
extremes(const uint64_t *x, size_t n, unsigned order, uint64_t c, int64_t *least, int64_t *most)
{
	int64_t low = 0, high = 0, d;
	size_t i;

	for (i = order; i < n; i++) {
		d = otr__i64(difference(x, i, order) - c);
		low = d < low ? d : low;
		high = d > high ? d : high;
	}
	*least = low;
	*most = high;
}

static inline size_t
outside(const uint64_t *x, size_t n, unsigned order, uint64_t base, uint64_t mask)
{
	size_t i, count = 0;

	for (i = order; i < n; i++)
		count += difference(x, i, order) - base > mask;
	return count;
}

/*
 * The order is chosen from a sample; then one pass finds the exact range of its differences.  Only if that is wider than the sample
 * promised, or the sample itself saw outliers, does a slower pass weigh width against outliers.
 */
void
otr__pack_choose(const uint64_t *x, size_t n, struct otr__pack_plan *plan)
{
	struct otr__pack_plan trial;
	struct spread s;
	size_t step = n <= 2 * SAMPLE ? 1 : (n / SAMPLE) | 1, count;   /* odd, not to fall in step with a period */
	unsigned order, best = 0, width;
	int64_t least, most;
	uint64_t c, mask, typical_of[3] = { 0 };

	plan->size = SIZE_MAX;
	for (order = 0; order <= 2 && order < n; order++) {
		spread_of(x, n, order, step, &s, &count);
		typical_of[order] = s.c;
		best_window(&s, n, order, count, &trial);
		if (trial.size < plan->size) {
			*plan = trial;
			best = order;
		}
	}
	if (step > 1) {
		/* as in decode_at_once, the order is a constant in each loop */
		c = typical_of[best];
		if (best == 0)
			extremes(x, n, 0, c, &least, &most);
		else if (best == 1)
			extremes(x, n, 1, c, &least, &most);
		else
			extremes(x, n, 2, c, &least, &most);
		width = otr__bit_length((uint64_t)most - (uint64_t)least);
		/* the range of a sample is a little narrow: one bit more is no sign of outliers, unless so few need it that they had better be some */
		if (plan->outliers == 0 && (width <= plan->width || (width == plan->width + 1u &&
		    OUTLIER_BITS * outside(x, n, best, plan->base, otr__bits_mask(plan->width)) > n))) {
			*plan = (struct otr__pack_plan){ .base = c + (uint64_t)least, .size = body_size(n, best, width, 0),
				.order = (uint8_t)best, .width = (uint8_t)width };
			return;
		}
		spread_of(x, n, best, 1, &s, &count);
		best_window(&s, n, best, count, plan);
	}
	/* 2^width may reach beyond the cells of the window, so that some that were counted as outliers are none */
	if (plan->outliers > 0) {
		mask = otr__bits_mask(plan->width);
		plan->outliers = (uint32_t)outside(x, n, best, plan->base, mask);
		plan->size = body_size(n, best, plan->width, plan->outliers);
	}
}

void
otr__pack_encode(const uint64_t *x, size_t n, const struct otr__pack_plan *plan, uint64_t *residual, struct otr__put *w)
{
	uint64_t mask = otr__bits_mask(plan->width);
	unsigned order = plan->order;
	size_t residuals = n - order, i, y = 0;
	uint8_t *at, *outlier, *stream;

	otr__add8(w, plan->order);
	otr__add8(w, plan->width);
	otr__add16(w, (uint16_t)plan->outliers);
	otr__add32(w, 0);
	if (order >= 1)
		otr__add64(w, x[0]);
	if (order == 2)
		otr__add64(w, x[1] - x[0]);
	otr__add64(w, plan->base);
	at = otr__put_room(w, POSITIONS_SIZE(plan->outliers));
	outlier = otr__put_room(w, 8 * (size_t)plan->outliers);
	stream = otr__put_room(w, 8 * otr__bits_words(residuals, plan->width));
	if (stream == NULL)
		return;

	if (order == 0)
		for (i = 0; i < residuals; i++)
			residual[i] = difference(x, i, 0) - plan->base;
	else if (order == 1)
		for (i = 0; i < residuals; i++)
			residual[i] = difference(x, i + 1, 1) - plan->base;
	else
		for (i = 0; i < residuals; i++)
			residual[i] = difference(x, i + 2, 2) - plan->base;
	if (plan->outliers > 0) {
		memset(at, 0, POSITIONS_SIZE(plan->outliers));
		for (i = 0; i < residuals; i++)
			if (residual[i] > mask) {
				otr__put16(at + 2 * y, (uint16_t)i);
				otr__put64(outlier + 8 * y, residual[i]);
				residual[i] = 0;
				y++;
			}
	}
	otr__bits_put(stream, residual, residuals, plan->width);
}

/* ---- byte planes: for deflate, whose codes cannot use packed bits (SPEC 7.7) ------------------------------------------------- */

/* One value in so many may be an outlier, which takes 10 bytes, before the planes get wider. */
#define PLANE_OUTLIERS 64

static inline uint64_t
zigzag(uint64_t d)
{
	return d << 1 ^ (0 - (d >> 63));
}

static unsigned
plane_bytes(uint64_t v)
{
	return (otr__bit_length(v) + 7) / 8;
}

/* log2(v) in 256ths, v > 0, straight between powers of two: enough to compare with. */
static uint64_t
log2_256(uint64_t v)
{
	unsigned b = otr__bit_length(v) - 1;

	return 256 * (uint64_t)b + (b >= 8 ? v >> (b - 8) : v << (8 - b)) - 256;
}

/* The residuals of an order, and in how many bytes most of them fit; *outliers: how many do not. */
static unsigned
plane_residuals(const uint64_t *x, size_t n, unsigned order, uint64_t base, uint64_t *residual, size_t *outliers)
{
	size_t residuals = n - order, count[9] = { 0 }, i, left = residuals;
	unsigned bytes;

	for (i = 0; i < residuals; i++) {
		residual[i] = zigzag(difference(x, i + order, order) - base);
		count[plane_bytes(residual[i])]++;
	}
	for (bytes = 0; bytes < 8; bytes++) {
		left -= count[bytes];
		if (left <= residuals / PLANE_OUTLIERS)
			break;
	}
	*outliers = bytes < 8 ? left : 0;
	return bytes;
}

/* What the planes cost if each byte took what its number among the plane's bytes says; in 256ths of a bit. */
static uint64_t
plane_cost(const uint64_t *residual, size_t residuals, unsigned bytes, size_t outliers)
{
	uint64_t cost = (uint64_t)outliers * 256 * OUTLIER_BITS;
	unsigned plane, b;

	for (plane = 0; plane < bytes; plane++) {
		uint32_t count[256] = { 0 };
		size_t i;

		for (i = 0; i < residuals; i++)
			count[residual[i] >> 8 * plane & 255]++;
		for (b = 0; b < 256; b++)
			if (count[b] > 0)
				cost += count[b] * (log2_256(residuals) - log2_256(count[b]));
	}
	return cost;
}

void
otr__pack_encode_planes(const uint64_t *x, size_t n, uint64_t *residual, struct otr__put *w)
{
	uint64_t base, least = UINT64_MAX;
	unsigned order, best = 0, bytes, plane;
	size_t residuals, outliers, i, y = 0;
	uint8_t *at, *outlier, *planes;

	for (order = 0; order <= 2 && order < n; order++) {
		uint64_t cost;

		bytes = plane_residuals(x, n, order, typical(x, n, order), residual, &outliers);
		cost = plane_cost(residual, n - order, bytes, outliers);
		if (cost < least) {
			least = cost;
			best = order;
		}
	}
	base = typical(x, n, best);
	bytes = plane_residuals(x, n, best, base, residual, &outliers);
	residuals = n - best;
	otr__add8(w, (uint8_t)best);
	otr__add8(w, (uint8_t)(8 * bytes));
	otr__add16(w, (uint16_t)outliers);
	otr__add8(w, 1);
	otr__add_zero(w, 3);
	if (best >= 1)
		otr__add64(w, x[0]);
	if (best == 2)
		otr__add64(w, x[1] - x[0]);
	otr__add64(w, base);
	at = otr__put_room(w, POSITIONS_SIZE(outliers));
	outlier = otr__put_room(w, 8 * outliers);
	planes = otr__put_room(w, (residuals * bytes + 7) & ~(size_t)7);
	if (planes == NULL)
		return;
	memset(at, 0, POSITIONS_SIZE(outliers));
	memset(planes, 0, (residuals * bytes + 7) & ~(size_t)7);
	for (i = 0; i < residuals; i++) {
		uint64_t v = residual[i];

		if (plane_bytes(v) > bytes) {
			otr__put16(at + 2 * y, (uint16_t)i);
			otr__put64(outlier + 8 * y++, v);
			continue;
		}
		for (plane = 0; plane < bytes; plane++)
			planes[plane * residuals + i] = (uint8_t)(v >> 8 * plane);
	}
}
