/* Presence's durable shadow: rows of connections, written behind. It belongs to no stream, so nothing is advanced or announced. */
#include "store/connections.h"
#include "writer/batch.h"

enum status
connections_run(struct batch *batch, struct write_op *op)
{
	const struct write_connections *write = (const struct write_connections *)op;

	for (size_t i = 0; i < write->n_people; i++)
		TRY(connections_save(batch->db, &write->people[i]));
	return OK;
}
