// Who has read a message of one's own.

import { type Chat, nameOf } from "../chat";
import type { StoredMessage } from "../core/types";
import { listReaders } from "../net/source";
import { Avatar } from "../ui/avatar";
import { Dialog } from "../ui/dialog";
import { Refusal } from "../ui/form";
import { useAnswer } from "../ui/task";

export function ReadBy(props: { chat: Chat; message: StoredMessage; onClose(): void }) {
	const { chat, message } = props;
	const readers = useAnswer(() => listReaders(chat.session, message));
	const { answer } = readers;
	return (
		<Dialog title="Read by" testid="readers" onClose={props.onClose}>
			<p class="note quoted" dir="auto">
				{message.content}
			</p>
			<Refusal failure={readers.failure} />
			<p class="note" role="status" data-testid="readers-count">
				{answer && (answer.count ? `${answer.count} ${answer.count === 1 ? "person has" : "people have"} read it.` : "Nobody has read it yet.")}
			</p>
			<ul class="rows">
				{answer?.items.map((one) => (
					<li class="item" key={one.user_id} data-testid="reader">
						<Avatar id={one.user_id} name={nameOf(one)} />
						<span class="item-text">
							<strong>{nameOf(one)}</strong>
							<span>@{one.username}</span>
						</span>
					</li>
				))}
			</ul>
			{answer && answer.items.length > 0 && answer.items.length < answer.count && <p class="note">And {answer.count - answer.items.length} more.</p>}
		</Dialog>
	);
}
