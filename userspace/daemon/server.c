// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The daemon's socket; see server.h. */
#include "daemon/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/discard.h"
#include "daemon/message.h"
#include "daemon/session.h"
#include "daemon/turns.h"

/* include/uapi/asm-generic/socket.h */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define CLIENTS_MAX 1024
#define CLIENTS_OF_USER_MAX 128

/* Threads besides, of clients that are one too many and are being told so. */
#define REFUSALS_MAX 128

/* A policy is parsed there, by recursion. Only what is touched is memory. */
#define STACK_SIZE (2 * 1024 * 1024)

/* How long to accept nobody when descriptors or threads have run out. */
#define PAUSE_MS 100

/* How often a thread whose time is up is interrupted, until it is gone. */
#define INTERRUPT_MS 200

/* How long to wait for threads at the end. */
#define CLOSE_MS 2000

#define REFUSAL_MS 1000

/* How often a client is told that others are before it, as long as they are being served. */
#define WAITING_S 10

struct server {
	struct daemon *daemon;
	int sock, wake_fd;
	struct loop_source source, wake_source;
	int64_t resume_ms; /* CLOCK_MONOTONIC; 0: accepting */
	pthread_mutex_t lock;
	pthread_cond_t gone;
	/* All that follows, and the sessions' fields from deadline_ms on, under the lock. */
	struct session *sessions;
	size_t session_cnt;
	uint64_t served_cnt; /* requests that the main thread has done */
	struct session *queue; /* by turn */
	struct turns turns;
	struct discard left; /* sockets that no thread may close */
	bool is_closing;
};

static int loop_of(const struct server *server)
{
	return server->daemon->controller->loop_fd;
}

struct daemon *server_daemon(struct server *server)
{
	return server->daemon;
}

static int refuse_at_end(struct error *err)
{
	return error_set(err, -ESHUTDOWN, "the daemon is stopping; ask again when it is back");
}

/* --- the clients' threads --------------------------------------------------------------------- */

void server_expect(struct session *session, int ms)
{
	struct server *server = session->server;

	pthread_mutex_lock(&server->lock);
	session->deadline_ms = clock_ms(CLOCK_MONOTONIC) + ms;
	pthread_mutex_unlock(&server->lock);
}

bool server_has_given_up(struct session *session)
{
	bool has;

	pthread_mutex_lock(&session->server->lock);
	has = session->is_given_up;
	pthread_mutex_unlock(&session->server->lock);
	return has;
}

/*
 * A request that puts something under a policy takes the user's next turn, behind those that wait. What only
 * asks, or kills, takes a moment: it comes with the first of them.
 */
static void put_in_queue(struct server *server, struct session *session)
{
	struct session **at;

	session->turn = turns_first(&server->turns, session->uid);
	for (const struct session *s = server->queue; s && session->request->operation->has_policy;
	     s = s->next_queued)
		if (s->uid == session->uid && s->turn >= session->turn)
			session->turn = s->turn + 1;
	for (at = &server->queue; *at && (*at)->turn <= session->turn;)
		at = &(*at)->next_queued;
	session->next_queued = *at;
	*at = session;
}

static void enqueue(struct session *session, struct request *request)
{
	struct server *server = session->server;
	const uint64_t one = 1;

	session->request = request;
	session->is_done = false;
	session->deadline_ms = INT64_MAX;
	put_in_queue(server, session);
	/* A semaphore of 64 bits takes it at once. */
	while (write(server->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static size_t count_before(const struct session *session)
{
	size_t cnt = 0;

	for (const struct session *s = session->server->queue; s && s != session;
	     s = s->next_queued)
		cnt++;
	return cnt;
}

/*
 * A client gives up when it hears nothing, so it hears that the queue moves. When it stands still, its
 * patience is what ends the wait. The caller holds the lock.
 */
static void await_turn(struct session *session)
{
	struct server *server = session->server;
	uint64_t served_cnt = server->served_cnt;
	struct timespec until;
	size_t before;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAITING_S;
	while (!session->is_done)
		if (pthread_cond_clockwait(&session->done, &server->lock, CLOCK_MONOTONIC, &until))
			break;
	if (session->is_done || server->served_cnt == served_cnt)
		return;
	before = count_before(session);
	pthread_mutex_unlock(&server->lock);
	session_reassure(session, before);
	pthread_mutex_lock(&server->lock);
}

int server_execute(struct session *session, struct request *request, struct error *err,
		   json_t **ret_members)
{
	struct server *server = session->server;
	int r = 1;

	pthread_mutex_lock(&server->lock);
	if (server->is_closing) {
		r = refuse_at_end(err);
	} else if (!session->is_given_up) {
		enqueue(session, request);
		while (!session->is_done)
			await_turn(session);
		r = session->result;
		*err = session->err;
		*ret_members = session->members;
		session->request = NULL;
	}
	pthread_mutex_unlock(&server->lock);
	return r;
}

void server_forget(struct session *session)
{
	struct server *server = session->server;
	int sock = session->sock;
	bool is_empty = message_discard_all(sock);
	struct session **at;

	pthread_mutex_lock(&server->lock);
	if (!is_empty)
		discard_add(&server->left, sock);
	for (at = &server->sessions; *at != session;)
		at = &(*at)->next;
	*at = session->next;
	server->session_cnt--;
	pthread_cond_signal(&server->gone);
	pthread_mutex_unlock(&server->lock);
	if (is_empty)
		close(sock);
	pthread_cond_destroy(&session->done);
	free(session);
}

/* --- the main thread's part ------------------------------------------------------------------- */

static struct session *dequeue(struct server *server)
{
	struct session *session;

	pthread_mutex_lock(&server->lock);
	session = server->queue;
	if (session) {
		server->queue = session->next_queued;
		turns_serve(&server->turns, session->uid, session->turn);
	}
	pthread_mutex_unlock(&server->lock);
	return session;
}

static void finish(struct session *session, int result, const struct error *err, json_t *members)
{
	pthread_mutex_lock(&session->server->lock);
	session->result = result;
	session->err = *err;
	session->members = members;
	session->is_done = true;
	session->server->served_cnt++;
	session->deadline_ms = clock_ms(CLOCK_MONOTONIC) + SESSION_SILENT_MS;
	pthread_cond_signal(&session->done);
	pthread_mutex_unlock(&session->server->lock);
}

/* --- accepting -------------------------------------------------------------------------------- */

struct client_counts {
	size_t served, of_user, refused; /* of_user: of those that are served */
};

static struct client_counts count_clients(struct server *server, uid_t uid)
{
	struct client_counts counts = { 0 };

	pthread_mutex_lock(&server->lock);
	for (const struct session *s = server->sessions; s; s = s->next) {
		counts.served += !s->is_refused;
		counts.of_user += !s->is_refused && s->uid == uid;
		counts.refused += s->is_refused;
	}
	pthread_mutex_unlock(&server->lock);
	return counts;
}

/* Without a free descriptor the socket would be ready for ever. */
static void pause_accepting(struct server *server)
{
	loop_remove(loop_of(server), &server->source);
	server->resume_ms = clock_ms(CLOCK_MONOTONIC) + PAUSE_MS;
}

/*
 * A client must not be closed in this thread: what it has sent already would be closed with it. One
 * that gets no thread now gets one at a later tick.
 */
static void start_thread(struct session *session)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr))
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	session->has_thread = !pthread_create(&session->thread, &attr, session_main, session);
	pthread_attr_destroy(&attr);
}

/* Takes the socket. */
static void add_session(struct server *server, struct session *session, int sock, uid_t uid)
{
	struct client_counts counts = count_clients(server, uid);

	*session = (struct session){
		.server = server,
		.sock = sock,
		.uid = uid,
		/* root is never locked out by others. */
		.is_refused = (counts.served >= CLIENTS_MAX && uid) ||
			      counts.of_user >= CLIENTS_OF_USER_MAX,
	};
	session->deadline_ms = clock_ms(CLOCK_MONOTONIC) +
			       (session->is_refused ? REFUSAL_MS : SESSION_SILENT_MS);
	pthread_cond_init(&session->done, NULL);
	pthread_mutex_lock(&server->lock);
	session->next = server->sessions;
	server->sessions = session;
	server->session_cnt++;
	start_thread(session);
	pthread_mutex_unlock(&server->lock);
}

static bool is_full(struct server *server)
{
	return count_clients(server, 0).refused >= REFUSALS_MAX;
}

/* Returns whether there was somebody. */
static bool accept_one(struct server *server)
{
	_cleanup_free_ struct session *session = calloc(1, sizeof(*session));
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	int sock = -1;

	if (session && !is_full(server))
		sock = accept4(server->sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	else
		errno = ENOMEM;
	if (sock < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_accepting(server);
		return false;
	}
	/* Of a connection it cannot fail. */
	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	add_session(server, TAKE_PTR(session), sock, peer.uid);
	return true;
}

static void on_listen(void *arg)
{
	accept_one(arg);
}

/*
 * Before a request is done, which may take seconds: who has come by then gets a thread, and his turn,
 * at once.
 */
static void accept_all(struct server *server)
{
	while (server->source.fd >= 0 && accept_one(server))
		;
}

static int listen_again(struct server *server)
{
	server->resume_ms = 0;
	return loop_add(loop_of(server), &server->source, server->sock, EPOLLIN, on_listen, server);
}

/* --- requests --------------------------------------------------------------------------------- */

/* One request, then it is somebody else's turn in the loop. */
static void on_wake(void *arg)
{
	struct server *server = arg;
	struct session *session;
	struct error err = { 0 };
	json_t *members = NULL;
	uint64_t one;
	int r;

	if (read(server->wake_fd, &one, sizeof(one)) != sizeof(one))
		return;
	accept_all(server);
	session = dequeue(server);
	if (!session)
		return;
	r = request_execute(server->daemon, session->request, &err, &members);
	if (r) {
		json_decref(members);
		members = NULL;
	}
	finish(session, r, &err, members);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Whoever still has no thread when its time is up is told so. */
static void try_thread(struct session *session, int64_t now)
{
	start_thread(session);
	if (session->has_thread || session->is_given_up || session->deadline_ms > now)
		return;
	session->is_given_up = true;
	session_give_up_unserved(session);
}

/*
 * Interrupts whatever its thread waits for, and says so if that is a lookup, which need not heed
 * the signal.
 */
static void send_away(struct session *session, int64_t now)
{
	const char *phase = session->phase;

	if (!session->has_thread) {
		try_thread(session, now);
		return;
	}
	if (phase && !session->is_given_up) {
		session->is_given_up = true;
		session_give_up(session, phase);
	}
	pthread_kill(session->thread, SIGUSR1);
}

/* Of two times in ms that something is due in; -1: never. */
static int64_t sooner(int64_t a, int64_t b)
{
	return b < 0 || (a >= 0 && a < b) ? a : b;
}

/* Returns ms until the next one's time is up, or -1. */
static int64_t send_away_due(struct server *server, int64_t now)
{
	int64_t next = -1;

	pthread_mutex_lock(&server->lock);
	for (struct session *session = server->sessions; session; session = session->next) {
		int64_t left = session->has_thread ? session->deadline_ms - now : 0;

		if (left <= 0) {
			send_away(session, now);
			left = INTERRUPT_MS;
		}
		next = sooner(next, left);
	}
	pthread_mutex_unlock(&server->lock);
	return next;
}

int server_tick(struct server *server)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC), next = send_away_due(server, now);

	pthread_mutex_lock(&server->lock);
	next = sooner(next, discard_tick(&server->left, now));
	pthread_mutex_unlock(&server->lock);
	if (server->resume_ms && server->resume_ms <= now && listen_again(server))
		server->resume_ms = now + PAUSE_MS;
	if (server->resume_ms)
		next = sooner(next, server->resume_ms - now);
	return next > INT32_MAX ? -1 : (int)next;
}

/* --- the socket ------------------------------------------------------------------------------- */

static int bind_socket(struct error *err, int *ret_sock)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET };
	_cleanup_fd_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1, off = 0;

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return error_errno(err, -errno, "cannot make the control socket");
	/* Since Linux 6.16 who sends a descriptor is refused. Before, see discard.h. */
	setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	if (unlink(CONTROL_SOCKET) && errno != ENOENT)
		return error_errno(err, -errno, "cannot remove the stale " CONTROL_SOCKET);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || chmod(CONTROL_SOCKET, 0666) ||
	    listen(sock, CLIENTS_MAX))
		return error_errno(err, -errno, "cannot listen at " CONTROL_SOCKET);
	*ret_sock = TAKE_FD(sock);
	return 0;
}

static void on_interrupt(int number)
{
	(void)number;
}

static int open_all(struct server *server, struct error *err)
{
	/* Without SA_RESTART: what it interrupts is to end. */
	const struct sigaction interrupt = { .sa_handler = on_interrupt };
	int r;

	sigaction(SIGUSR1, &interrupt, NULL);
	server->wake_fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	if (server->wake_fd < 0)
		return error_errno(err, -errno, "cannot listen");
	r = bind_socket(err, &server->sock);
	if (r)
		return r;
	r = loop_add(loop_of(server), &server->wake_source, server->wake_fd, EPOLLIN, on_wake,
		     server);
	if (!r)
		r = listen_again(server);
	return r ? error_errno(err, r, "cannot listen") : 0;
}

static void free_server(struct server *server)
{
	loop_remove(loop_of(server), &server->wake_source);
	cleanup_fd(&server->sock);
	cleanup_fd(&server->wake_fd);
	pthread_mutex_destroy(&server->lock);
	pthread_cond_destroy(&server->gone);
	free(server->left.fds);
	free(server);
}

int server_open(struct daemon *daemon, struct error *err, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return error_errno(err, -ENOMEM, "cannot listen");
	*server = (struct server){
		.daemon = daemon,
		.sock = -1,
		.wake_fd = -1,
		.source = LOOP_SOURCE_NONE,
		.wake_source = LOOP_SOURCE_NONE,
	};
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->gone, NULL);
	r = open_all(server, err);
	if (r) {
		free_server(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

/* Nobody asks any more; who waits is told. The caller holds the lock. */
static void hang_up(struct server *server)
{
	server->is_closing = true;
	for (struct session *session = server->sessions; session; session = session->next)
		shutdown(session->sock, SHUT_RD);
	for (struct session *session = server->queue; session; session = session->next_queued) {
		session->result = refuse_at_end(&session->err);
		session->is_done = true;
		pthread_cond_signal(&session->done);
	}
	server->queue = NULL;
}

bool server_close(struct server *server)
{
	struct timespec end;
	int r = 0;
	bool are_gone;

	if (!server)
		return true;
	unlink(CONTROL_SOCKET);
	loop_remove(loop_of(server), &server->source);
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += CLOSE_MS / 1000;
	pthread_mutex_lock(&server->lock);
	hang_up(server);
	while (server->session_cnt && !r)
		r = pthread_cond_timedwait(&server->gone, &server->lock, &end);
	/* Who has connected, and was not accepted, may have left something, too. */
	discard_add(&server->left, TAKE_FD(server->sock));
	discard_now(&server->left);
	are_gone = !server->session_cnt;
	pthread_mutex_unlock(&server->lock);
	if (are_gone)
		free_server(server);
	return are_gone;
}
