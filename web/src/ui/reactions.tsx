// The reactions below a message: each with its count, one's own marked; pressing one joins it or takes one's own back.

import { type Chat, nameOf } from "../chat";
import { withChanges } from "../core/changes";
import type { Reaction, StoredMessage } from "../core/types";

export function Reactions(props: { chat: Chat; row: StoredMessage; reactions: Reaction[] }) {
	const { chat, row, reactions } = props;
	if (!reactions.length) return null;
	const me = chat.session.user.id;
	return (
		<ul class="reactions" aria-label="Reactions">
			{reactions.map((one) => (
				<li key={one.emoji}>
					<button
						type="button"
						class="reaction"
						aria-pressed={one.user_ids.includes(me)}
						aria-label={`${one.emoji}, ${one.count}: ${namesOf(chat, row, one)}`}
						title={namesOf(chat, row, one)}
						data-testid="reaction"
						data-emoji={one.emoji}
						onClick={() => toggleReaction(chat, row, one.emoji)}
					>
						<span aria-hidden="true">{one.emoji}</span> <span class="reaction-count">{one.count}</span>
					</button>
				</li>
			))}
		</ul>
	);
}

/** Gives a reaction, or takes it back, by what is shown now. */
export function toggleReaction(chat: Chat, row: StoredMessage, emoji: string): void {
	const me = chat.session.user.id;
	const shown = withChanges(row, chat.changes.of(row.id), me).reactions ?? [];
	const given = shown.some((one) => one.emoji === emoji && one.user_ids.includes(me));
	chat.change(row, { action: given ? "unreact" : "react", emoji });
}

function namesOf(chat: Chat, row: StoredMessage, reaction: Reaction): string {
	const members = chat.replica.streams.get(row.conversation_id)?.members;
	const names = reaction.user_ids.map((id) => {
		if (id === chat.session.user.id) return "you";
		const member = members?.get(id);
		return member ? nameOf(member) : "somebody";
	});
	const others = reaction.count - names.length;
	return others > 0 ? `${names.join(", ")} and ${others} more` : names.join(", ");
}
