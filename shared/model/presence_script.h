/* What presence keeps in Redis, and the only programs that touch it: they run inside Redis, each as one step.
 *
 * presence:<user> is a hash of the nodes (push processes) at which the person is; presence:node:<node> lives as long as the
 * node beats, and a node without it counts for nothing; presence:nodes names them; presence:kept is missing when Redis has been
 * emptied, and presence:settling is there for PRESENCE_SETTLE_MS after that was seen: who is not found then is unknown, until
 * the nodes, told on the channel p:nodes, have written their people again. */
#ifndef MODEL_PRESENCE_SCRIPT_H
#define MODEL_PRESENCE_SCRIPT_H

#define PRESENCE_SETTLE_MS "5000"
#define PRESENCE_NODES_CHANNEL "p:nodes"

/* Arguments node, ttl ms. Answers lines: `1` or `0` (whether this node was known), then the living nodes. */
extern const char presence_script_beat[];

/* Arguments node, ttl ms, `1` to tell all who came (else only who was nowhere before), then of each person id, `1` or `0`, and
 * when last seen (epoch ms). Answers a character each: + came, - left, = nothing that others see. */
extern const char presence_script_write[];

/* Arguments are people's ids. Answers a character each: + online, - offline, ? unknown. */
extern const char presence_script_read[];

#endif
