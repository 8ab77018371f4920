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

int queue_push(struct queue *queue, struct queued item)
{
	int r = make_room(queue);

	if (r)
		return r;
	*at(queue, queue->cnt++) = item;
	queue->bytes += item.line->len;
	return 0;
}

int queue_push_front(struct queue *queue, struct queued item)
{
	int r = make_room(queue);

	if (r)
		return r;
	queue->first = (queue->first + queue->room - 1) % queue->room;
	queue->cnt++;
	*at(queue, 0) = item;
	queue->bytes += item.line->len;
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
	queue->bytes -= item.line->len;
	return item;
}

struct queued queue_pop_last(struct queue *queue)
{
	struct queued item = *at(queue, queue->cnt - 1);

	queue->cnt--;
	queue->bytes -= item.line->len;
	return item;
}

void queue_free(struct queue *queue)
{
	while (queue->cnt)
		line_unref(queue_pop(queue).line);
	free(queue->items);
	*queue = (struct queue){ 0 };
}
