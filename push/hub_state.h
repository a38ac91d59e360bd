/* What the parts of the hub share: hub.c (streams and delivery), hello.c (a socket's beginning), join.c
 * (a conversation's), attachment.c (one socket in one stream), hub_socket.c (sockets and people), passing.c (what has no
 * place in a stream), repair.c (reading what is missing), heads.c (asking where the streams stand). Nobody else includes this. */
#ifndef PUSH_HUB_STATE_H
#define PUSH_HUB_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include <utlist.h>

#include "delivery.h"
#include "hub.h"
#include "session.h"
#include "subscriber.h"

enum {
	HUB_REORDER_MS = 50,       /* a record that came early waits for the one before it */
	HUB_HEARD_MS = 250,        /* a head of the database waits for its record */
	HUB_CONFIRM_MS = 200,      /* hello waits for the bus at most */
	HUB_IDLE_MS = 10000,       /* a stream that nobody needs is kept subscribed */
	HUB_WAITING_MAX = 64,      /* records of a stream that wait; one more counts as a heard head */
	HUB_REPAIR_ROWS_MAX = 200, /* more rows than this: markers */
	HUB_REPAIR_BYTES_MAX = 64 * 1024,
	HUB_HEADS_MS = 4500, /* with HUB_HEARD_MS, and the read, what nothing told of is known within 5 s */
	HUB_HEADS_DEGRADED_MS = 250,
	HUB_RETRY_MS = 500, /* a failed read is asked again */
	HUB_TICK_MS = 25,
	HUB_SPREAD_MS =
		5, /* between the pulls of two sockets: neither a lost record nor a restart must become a herd */
	HUB_SPREAD_MAX_MS = 10000,
};
#define REV_UNKNOWN ((int64_t)-1)

struct stream {
	char channel[EVENT_CHANNEL_SIZE];
	UT_hash_handle hh;
	int64_t last;  /* delivered up to here; REV_UNKNOWN until a hello has read its head */
	int64_t heard; /* highest head heard of */
	int64_t asked; /* `last` when the heads check number `asked_number` was asked */
	uint64_t asked_number;
	struct delivery *waiting; /* sorted by rev */
	size_t n_waiting;
	struct attachment *attachments;
	size_t n_attachments;
	int64_t member_count;  /* of a conversation, as last read: at most a heads check old */
	bool resubscribing;    /* counted in hub->n_resubscribing */
	bool confirmed;        /* by the bus, on this connection */
	uint64_t repair;       /* number of the read in flight; 0: none */
	int64_t repair_at_ms;  /* 0: nothing is due */
	int64_t repair_rev;    /* `last` when that was set: a stream that moved on since gets another 50 ms */
	int64_t idle_since_ms; /* 0: in use */
	bool due;              /* in hub->due: something may be done with it at a tick */
	struct stream *due_next;
};

struct held {
	struct held *next;
	struct delivery *delivery;
};

/* A socket gets what a stream says. */
struct attachment {
	struct hub_socket *socket;
	struct stream *stream;
	int64_t member_rev; /* of the membership it rests on; 0 in a person's stream */
	bool holding;       /* its membership or head is being read: deliveries wait */
	bool awaited;       /* counted in its socket's n_unconfirmed */
	int64_t head;       /* read for this socket: events up to it are in what it was told */
	uint64_t join;      /* number of the join under way, 0: none */
	struct held *held;
	struct attachment *prev, *next;               /* in the stream */
	struct attachment *socket_prev, *socket_next; /* in the socket */
};

struct hub_socket {
	uint64_t number; /* jobs name a socket by it: it may be gone when they return */
	UT_hash_handle hh;
	struct hub *hub;
	struct session *session;
	char user_id[ID_SIZE];
	struct attachment *attachments; /* the person's stream first */
	size_t n_attachments;
	struct hub_request request; /* owned copy; freed when hello is over */
	bool greeted;
	int64_t read_at_ms;   /* hello reads at that time at the latest; 0: a read is under way, or hello is over */
	bool retrying;        /* until read_at_ms, whatever is confirmed */
	size_t n_unconfirmed; /* streams that the bus has not confirmed yet */
	struct hub_socket *greeting_prev, *greeting_next; /* in hub->greeting */
};

struct hub_user {
	char id[ID_SIZE];
	UT_hash_handle hh;
	int64_t n_sockets;
};

struct hub {
	struct loop *loop;
	struct storage *storage;
	struct subscriber *subscriber;
	const struct hub_listener *listener; /* or NULL */
	struct stream *streams;              /* by channel */
	struct hub_socket *sockets;          /* by number */
	struct hub_user *users;              /* by id */
	struct stream *due;                  /* by due_next */
	struct hub_socket *greeting;         /* sockets whose hello is not over */
	int64_t next_pull_at_ms;             /* of those that are told of a gap as they come */
	struct join *joins;                  /* conversations joined while connected, before they are read (join.c) */
	uint64_t next_number;
	char epoch[EVENT_EPOCH_SIZE]; /* "" until the database has said it */
	bool connected;               /* to the bus */
	size_t n_resubscribing;       /* streams not confirmed again since the bus came back */
	bool settling;                /* all confirmed: normal once all heads have been compared */
	bool normal;                  /* connected, all confirmed and compared */
	bool stopping;
	uv_timer_t tick;
	/* heads.c */
	int64_t heads_at_ms;
	int64_t heads_position;     /* change_no from which to ask; 0: compare all by name */
	uint64_t heads_connections; /* of storage when the position was asked for: it holds while there is no other */
	uint64_t heads_number;
	bool heads_asking;
	size_t jobs; /* in storage; hub_destroy needs 0 */
};

/* hub.c */
struct stream *hub_stream(struct hub *hub, const char *channel);     /* found or NULL */
struct stream *hub_stream_use(struct hub *hub, const char *channel); /* found or made */
struct hub_socket *hub_socket_find(struct hub *hub, uint64_t number);
void hub_deliver(struct hub *hub, struct stream *stream, struct delivery *delivery);
/* Delivers what waits and is next; what is early stays, and a repair is planned for it. */
void hub_drain(struct hub *hub, struct stream *stream);
/* The database has this head: when it stays ahead of what was delivered, a repair follows. */
void hub_heard(struct hub *hub, struct stream *stream, int64_t head);
/* A hello or a join has read the head of a stream: one that has a `last` keeps it, since another socket may still be owed the
 * records below the head. */
void hub_head_read(struct hub *hub, struct stream *stream, int64_t head);
/* Another epoch, or a head below what was delivered: forget everything, close all sockets. */
void hub_forget_all(struct hub *hub, const char *reason);

/* The database serves no longer, because its data is elsewhere: closes all sockets, so that they come to a server that has it. */
void hub_moved(struct hub *hub);
/* Notes the epoch that a read came with; false when everything was forgotten because of it. */
bool hub_epoch_seen(struct hub *hub, const char *epoch);
void hub_channel(char kind, const char *id, char ret_channel[EVENT_CHANNEL_SIZE]);
/* The conversation of a channel, or NULL for a person's. */
const char *hub_conversation_id(const char *channel);
/* Looks at the stream at the next tick. */
void hub_due(struct hub *hub, struct stream *stream);

/* attachment.c */
struct attachment *attachment_create(struct hub *hub, struct hub_socket *socket, const char *channel,
				     int64_t member_rev);
void attachment_destroy(struct hub *hub, struct attachment *attachment);
struct attachment *attachment_find(const struct hub_socket *socket, const char *channel); /* or NULL */
/* One delivery to one socket: held back, or sent with all it means for the socket's memberships. The attachment, or all of the
 * socket, may be gone afterwards. */
void attachment_pass(struct hub *hub, struct attachment *attachment, struct delivery *delivery);
/* Lets what was held back and is above `head` go, and all that follows. The same holds afterwards. */
void attachment_release(struct hub *hub, struct attachment *attachment, int64_t head);

/* Whether `head`, with the deliveries held back since, comes up to what the hub has delivered to others. */
bool attachment_reaches(const struct attachment *attachment, int64_t head);

/* passing.c */
void passing_deliver(struct stream *stream, const struct event *event);

/* hello.c */
void hello_begin(struct hub *hub, struct hub_socket *socket);
void hello_confirmed(struct hub *hub, struct stream *stream);
void hello_tick(struct hub *hub, int64_t now_ms);
void hello_end(struct hub *hub, struct hub_socket *socket); /* it leaves, or is greeted */
void hello_request_free(struct hub_request *request);

/* join.c */
void join_begin(struct hub *hub, struct hub_socket *socket, const char *conversation_id, int64_t member_rev);
/* The bus has confirmed `channel` (or NULL), or time has passed. */
void join_wake(struct hub *hub, const char *channel, int64_t now_ms);
void join_forget_all(struct hub *hub);

/* repair.c */
void repair_begin(struct hub *hub, struct stream *stream);

/* hub.c, for heads.c */
void hub_compared(struct hub *hub); /* all heads were compared by name */

/* heads.c */
void heads_tick(struct hub *hub, int64_t now_ms);
void heads_compare_all(struct hub *hub);

#endif
