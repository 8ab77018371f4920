// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A ring of lines; see queue.h. */
#include "alert/queue.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_MIN 16

static struct queued *at(const struct queue *queue, size_t i)
{
	return &queue->items[(queue->first + i) % queue->room];
}

static int make_room(struct queue *queue)
{
	size_t room = queue->room ? queue->room * 2 : ROOM_MIN;
	struct queued *items;

	if (queue->cnt < queue->room)
		return 0;
	items = malloc(room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < queue->cnt; i++)
		items[i] = *at(queue, i);
	free(queue->items);
	queue->items = items;
	queue->room = room;
	queue->first = 0;
	return 0;
}

/* --- shares ----------------------------------------------------------------------------------- */

static struct queue_share *find_share(const struct queue *queue, const struct tally *owner)
{
	for (size_t i = 0; i < queue->share_cnt; i++)
		if (queue->shares[i].owner == owner)
			return &queue->shares[i];
	return NULL;
}

static int make_share(struct queue *queue, const struct tally *owner,
		      struct queue_share **ret_share)
{
	size_t room = queue->share_room ? queue->share_room * 2 : ROOM_MIN;
	struct queue_share *shares = queue->shares;

	if (queue->share_cnt == queue->share_room) {
		shares = realloc(shares, room * sizeof(*shares));
		if (!shares)
			return -ENOMEM;
		queue->shares = shares;
		queue->share_room = room;
	}
	*ret_share = &shares[queue->share_cnt++];
	**ret_share = (struct queue_share){ .owner = owner };
	return 0;
}

static int add_to_share(struct queue *queue, const struct line *line)
{
	struct queue_share *share = find_share(queue, line->tally);
	int r = share ? 0 : make_share(queue, line->tally, &share);

	if (r)
		return r;
	share->cnt++;
	share->bytes += line->len;
	queue->bytes += line->len;
	return 0;
}

static void take_from_share(struct queue *queue, const struct line *line)
{
	struct queue_share *share = find_share(queue, line->tally);

	queue->bytes -= line->len;
	share->bytes -= line->len;
	if (!--share->cnt)
		*share = queue->shares[--queue->share_cnt];
}

bool queue_has_room(const struct queue *queue, const struct line *line, size_t bound)
{
	const struct queue_share *share = line->is_decision ? find_share(queue, line->tally) : NULL;

	return queue->bytes + (share ? share->bytes : 0) + line->len <= bound;
}

/* --- the queue -------------------------------------------------------------------------------- */

int queue_push(struct queue *queue, struct queued item)
{
	int r = make_room(queue) ?: add_to_share(queue, item.line);

	if (r)
		return r;
	*at(queue, queue->cnt++) = item;
	return 0;
}

int queue_push_front(struct queue *queue, struct queued item)
{
	int r = make_room(queue) ?: add_to_share(queue, item.line);

	if (r)
		return r;
	queue->first = (queue->first + queue->room - 1) % queue->room;
	queue->cnt++;
	*at(queue, 0) = item;
	return 0;
}

struct queued *queue_first(const struct queue *queue)
{
	return queue->cnt ? at(queue, 0) : NULL;
}

struct queued *queue_last(const struct queue *queue)
{
	return queue->cnt ? at(queue, queue->cnt - 1) : NULL;
}

const struct queued *queue_at(const struct queue *queue, size_t i)
{
	return at(queue, i);
}

struct queued queue_pop(struct queue *queue)
{
	struct queued item = *at(queue, 0);

	queue->first = (queue->first + 1) % queue->room;
	queue->cnt--;
	take_from_share(queue, item.line);
	return item;
}

struct queued queue_pop_last(struct queue *queue)
{
	struct queued item = *at(queue, queue->cnt - 1);

	queue->cnt--;
	take_from_share(queue, item.line);
	return item;
}

void queue_free(struct queue *queue)
{
	while (queue->cnt)
		line_unref(queue_pop(queue).line);
	free(queue->items);
	free(queue->shares);
	*queue = (struct queue){ 0 };
}
