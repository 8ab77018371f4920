// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The daemon's socket; see server.h. */
#include "daemon/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/message.h"
#include "daemon/request.h"

#define CLIENTS_MAX 1024
#define CLIENTS_OF_USER_MAX 128

/* A request, its environment's id map, and the request again. */
#define REQUESTS_MAX 16

#define CLIENT_MS 10000

/* How long to accept nobody when descriptors have run out. */
#define PAUSE_MS 100

struct client {
	struct client *next;
	struct server *server;
	int sock;
	struct loop_source source;
	uid_t uid;           /* who connected */
	int64_t deadline_ms; /* CLOCK_MONOTONIC */
	unsigned int request_cnt;
};

struct server {
	struct daemon *daemon;
	int sock;
	struct loop_source source;
	struct client *clients;
	size_t client_cnt;
	int64_t resume_ms; /* CLOCK_MONOTONIC; 0: accepting */
};

static int loop_of(const struct server *server)
{
	return server->daemon->controller->loop_fd;
}

/* --- clients ---------------------------------------------------------------------------------- */

static void client_close(struct client *client)
{
	struct client **at = &client->server->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->server->client_cnt--;
	loop_remove(loop_of(client->server), &client->source);
	close(client->sock);
	free(client);
}

/* A client that does not take its answer is not waited for. */
static int answer(int sock, json_t *json)
{
	int r = message_send(sock, json, NULL, 0);

	json_decref(json);
	return r;
}

static int refuse(int sock, int code, const char *text)
{
	struct error err;

	error_set(&err, code, "%s", text);
	return answer(sock, request_failure(&err));
}

/* Returns 0 if the client may ask again. */
static int serve(struct client *client, const struct message *message)
{
	int r;

	if (++client->request_cnt > REQUESTS_MAX)
		return refuse(client->sock, -EBUSY, "too many requests on one connection") ?: 1;
	r = answer(client->sock, request_handle(client->server->daemon, client->sock, message));
	client->deadline_ms = clock_ms(CLOCK_MONOTONIC) + CLIENT_MS;
	return r;
}

static void on_client(void *arg)
{
	struct client *client = arg;
	struct message message;
	int r = message_receive(client->sock, request_body_max(client->server->daemon, client->uid),
				&message);

	if (r == -EAGAIN)
		return;
	if (r == -EBADMSG)
		refuse(client->sock, r, "the request is no message of jobcage's protocol");
	if (r == -EPROTONOSUPPORT)
		refuse(client->sock, r, "the request is of another version of the protocol");
	if (r > 0) {
		r = serve(client, &message) ? 0 : 1;
		message_free(&message);
	}
	if (r <= 0)
		client_close(client);
}

/* --- accepting -------------------------------------------------------------------------------- */

static size_t clients_of(const struct server *server, uid_t uid)
{
	size_t cnt = 0;

	for (const struct client *c = server->clients; c; c = c->next)
		cnt += c->uid == uid;
	return cnt;
}

static int client_new(struct server *server, int sock, uid_t uid)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	*client = (struct client){
		.server = server,
		.sock = sock,
		.uid = uid,
		.deadline_ms = clock_ms(CLOCK_MONOTONIC) + CLIENT_MS,
	};
	r = loop_add(loop_of(server), &client->source, sock, EPOLLIN, on_client, client);
	if (r) {
		free(client);
		return r;
	}
	client->next = server->clients;
	server->clients = client;
	server->client_cnt++;
	return 0;
}

/* Without a free descriptor the socket would be ready for ever. */
static void pause_accepting(struct server *server)
{
	loop_remove(loop_of(server), &server->source);
	server->resume_ms = clock_ms(CLOCK_MONOTONIC) + PAUSE_MS;
}

static void on_listen(void *arg)
{
	struct server *server = arg;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	_cleanup_fd_ int sock = accept4(server->sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (sock < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_accepting(server);
		return;
	}
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return;
	/* root is never locked out by others. */
	if ((server->client_cnt >= CLIENTS_MAX && peer.uid) ||
	    clients_of(server, peer.uid) >= CLIENTS_OF_USER_MAX) {
		refuse(sock, -EBUSY, "the daemon has too many clients; try again");
		return;
	}
	if (!client_new(server, sock, peer.uid))
		TAKE_FD(sock);
}

static int listen_again(struct server *server)
{
	server->resume_ms = 0;
	return loop_add(loop_of(server), &server->source, server->sock, EPOLLIN, on_listen, server);
}

int server_tick(struct server *server)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC), next = -1;
	struct client *after;

	for (struct client *client = server->clients; client; client = after) {
		after = client->next;
		if (client->deadline_ms <= now)
			client_close(client);
		else if (next < 0 || client->deadline_ms - now < next)
			next = client->deadline_ms - now;
	}
	if (server->resume_ms && server->resume_ms <= now)
		listen_again(server);
	else if (server->resume_ms && (next < 0 || server->resume_ms - now < next))
		next = server->resume_ms - now;
	return next;
}

/* --- the socket ------------------------------------------------------------------------------- */

static int bind_socket(struct error *err, int *ret_sock)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET };
	_cleanup_fd_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return error_errno(err, -errno, "cannot make the control socket");
	if (unlink(CONTROL_SOCKET) && errno != ENOENT)
		return error_errno(err, -errno, "cannot remove the stale " CONTROL_SOCKET);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || chmod(CONTROL_SOCKET, 0666) ||
	    listen(sock, CLIENTS_MAX))
		return error_errno(err, -errno, "cannot listen at " CONTROL_SOCKET);
	*ret_sock = TAKE_FD(sock);
	return 0;
}

int server_open(struct daemon *daemon, struct error *err, struct server **ret_server)
{
	_cleanup_free_ struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return error_errno(err, -ENOMEM, "cannot listen");
	server->daemon = daemon;
	r = bind_socket(err, &server->sock);
	if (r)
		return r;
	r = listen_again(server);
	if (r) {
		close(server->sock);
		return error_errno(err, r, "cannot listen");
	}
	*ret_server = TAKE_PTR(server);
	return 0;
}

void server_close(struct server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_close(server->clients);
	unlink(CONTROL_SOCKET);
	loop_remove(loop_of(server), &server->source);
	close(server->sock);
	free(server);
}
