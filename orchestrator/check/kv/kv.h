/* SPDX-License-Identifier: ISC */
/*
 * The parts of the check kv, whose rule stands in kv.c:
 *
 *	state.c   what all of them use
 *	update.c  updates that are open or unknown, and their outcomes
 *	chain.c   the links of each key, which must be one chain
 *	shown.c   values that were read: were they written?
 *	read.c    reads: are they old, and for how long?
 *	audit.c   what is there in the end
 *	refused.c refusals: of what was stored, and without an end
 */
#ifndef CHECK_KV_H
#define CHECK_KV_H

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/hashmap.h"

/* How a value was read, as the messages number it; 0 is none. */
#define PATHS (KV_PATH_CONSUMER + 1)

/* A stored revision: update id was accepted because it expected expected. */
struct kv_link {
	uint64_t revision, expected, id, sum;
	bool is_acked;
};

/* An update that is open, unknown for ever, or was refused lately. */
struct kv_update {
	uint64_t id; /* the key in updates */
	uint32_t key, attempts;
	uint64_t expected, sum;
	uint64_t revision; /* where it was seen; 0 not yet */
	uint64_t floor;	   /* highest revision acked when it was first sent */
	uint64_t invoked_ns;
	uint64_t asked_ns; /* its latest attempt */
	bool is_in_flight; /* that one has no answer yet */
	bool is_unknown, is_ended, told;
	uint32_t code; /* it was refused by this error at refused_ns */
	uint64_t refused_ns;
};

/* Refusals of updates that should have been accepted, one after the other. */
struct kv_streak {
	uint32_t tries; /* 0: none */
	uint64_t from_ns, last_id;
	uint64_t long_ns; /* when it had gone on for long enough; 0: not yet */
	bool is_shown;	  /* the leader shows the expected revision */
	bool told;
};

/* Which update stands at a revision of the bucket. */
struct kv_place {
	uint64_t revision, id;
	uint32_t key;
};

/* What the audit saw on one path. */
struct kv_final {
	bool seen;
	uint64_t newest, oldest; /* oldest: of several answers for the key */
};

struct kv_key {
	struct kv_link *links; /* by revision */
	uint32_t n, room;
	uint64_t forgotten;	  /* highest revision dropped from links */
	uint64_t acked, acked_id; /* highest acknowledged */
	uint64_t read, read_id;	  /* highest that a read showed */
	uint32_t in_flight;	  /* attempts without an answer yet */
	uint64_t crowded_ns;	  /* when there were two of them last */
	struct kv_streak streak;
	/* The leader shows nothing as new as this since doubt_ns. */
	uint64_t doubted, doubted_id, doubt_ns;
	bool told;
	struct kv_final finals[PATHS];
	uint64_t *held; /* revisions that the audit's consumer showed */
	uint32_t nheld, held_room;
};

struct kv_client {
	bool is_reading;	      /* an answer is due */
	uint64_t op, acked, acked_id; /* of the key when it was asked */
	uint64_t asked_ns;
	/* When the first read was asked that has no answer yet; 0: none. */
	uint64_t since_ns;
	bool told;
	uint64_t starved_ns; /* since when each update is refused; 0: not */
	bool told_starved;
};

struct kv_state {
	uint32_t stream;
	struct kv_settings {
		uint64_t confirm_ns, history;
	} settings;
	bool has_settings;
	struct kv_key *keys;
	uint32_t nkeys;
	struct kv_client *clients;
	uint32_t nclients;
	uint64_t *invoked; /* highest counter, by source */
	uint32_t ninvoked;
	struct hashmap updates;	 /* struct kv_update, by id */
	uint64_t attempts;	 /* sent for any key: no revision is higher */
	uint64_t max_acked;	 /* of any key */
	struct kv_place *places; /* a ring by revision */
	uint64_t *refused;	 /* ids of those refused lately, a ring */
	uint64_t nrefused;
	uint64_t *dropped; /* highest counter that left it, by source */
	uint32_t ndropped;
	struct msg_scan_begin begun; /* by the audit */
};

/* What a read or the audit shows of a key. */
struct kv_shown {
	uint32_t key;
	uint8_t path;
	bool found, intact;
	uint64_t revision, id, run, sum;
};

/* state.c: a message id as sentences show it, "2:17" */
struct kv_id_text {
	char s[40];
};

struct kv_id_text kv_id_text(uint64_t id);

/* An anomaly of update id at a revision, with the class of a loss. */
struct anomaly kv_anomaly(
    const struct check *, enum anomaly_kind, uint64_t id, uint64_t revision);

/* Violation, or documented where memory storage may forget. */
enum anomaly_class kv_loss_class(const struct check *);

/* Replicas of the bucket; 0 when it is not known. */
uint32_t kv_replicas_of(const struct check *);

/* The options of the workload, with their defaults. */
const struct kv_settings *kv_settings(const struct check *);

/* From one moment to another: who led the bucket? */
struct check_span kv_span(
    const struct check *, uint64_t from_ns, uint64_t to_ns);

/* The key or client, zeroed at first; NULL beyond the limit, or no memory. */
struct kv_key *kv_key_at(struct kv_state *, uint32_t key);
struct kv_client *kv_client_at(struct kv_state *, uint32_t source);

/* update.c: the update when it is open or unknown, or NULL. */
struct kv_update *kv_update_find(const struct kv_state *, uint64_t id);

/* Forget it when nothing about it is open: its link, if any, stands. */
void kv_update_settle(struct kv_state *, struct kv_update *);

/* Raise op_timeout if the update is, or was, open for too long by now. */
void kv_judge_time(struct check *, struct kv_update *, bool is_over);

/* Warn if each update of the client is refused for too long by now. */
void kv_judge_starved(struct check *, struct kv_client *, uint32_t source);

int kv_on_update(struct check *, const struct event *);
int kv_on_ok(struct check *, const struct event *);
int kv_on_outcome(struct check *, const struct event *);

/* An attempt of the update has its answer. */
void kv_answered(struct kv_state *, struct kv_update *);

/* refused.c */
int kv_on_rejected(struct check *, const struct event *);

/* Keep an update that was refused for some time longer. 0 or -ENOMEM. */
int kv_refused_keep(struct kv_state *, const struct kv_update *);

/* Was the update refused so long ago that it is not known any more? */
bool kv_refused_dropped(const struct kv_state *, uint64_t id);

/* The update is stored at u->revision: tell if it was refused. */
void kv_judge_refused(struct check *, const struct kv_update *);

/* Raise op_timeout if each update of the key is refused for too long by now. */
void kv_judge_streak(struct check *, uint32_t key);

/* chain.c: the link that ends at a revision, or NULL. */
const struct kv_link *kv_link_find(const struct kv_key *, uint64_t revision);

/* A link became known by an ack or a read: judge and enter it. 0 or -ENOMEM. */
int kv_link_enter(struct check *, uint32_t key, const struct kv_link *);

/* shown.c: judge a value that was read. 0 or -ENOMEM. */
int kv_judge_shown(struct check *, const struct kv_shown *);

/* read.c */
int kv_on_read(struct check *, const struct event *);
int kv_on_value(struct check *, const struct event *);

/* Raise op_timeout if the client waits for an answer for too long by now. */
void kv_judge_reading(struct check *, struct kv_client *, uint32_t source);

/* audit.c */
void kv_on_scan_begin(struct check *, const struct msg_scan_begin *);
int kv_on_final(struct check *, const struct msg_kv_final *);
void kv_on_scan_end(struct check *, const struct msg_scan_end *);

#endif
