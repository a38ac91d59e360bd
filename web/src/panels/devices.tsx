// Where one is logged in, and logging other devices out.

import type { Chat } from "../chat";
import { endLogin, endOtherLogins, listLogins, type Login } from "../net/account";
import { Confirm, Refusal } from "../ui/form";
import { useAnswer, useTask } from "../ui/task";
import { agoOf, fullTimeOf } from "../ui/time";
import { deviceOf } from "./user_agent";

export function Devices({ chat }: { chat: Chat }) {
	const { session } = chat;
	const logins = useAnswer(() => listLogins(session));
	const end = useTask(async (id: string) => {
		await endLogin(session, id);
		logins.set((logins.answer ?? []).filter((one) => one.id !== id));
	});
	const endOthers = useTask(async () => {
		await endOtherLogins(session);
		logins.set((logins.answer ?? []).filter((one) => one.current));
	});
	const others = (logins.answer ?? []).some((one) => !one.current);
	return (
		<>
			<p class="note">You are logged in on these. Log out what you don't know, and change your password.</p>
			<Refusal failure={logins.failure ?? end.failure ?? endOthers.failure} />
			<ul class="rows" aria-busy={!logins.answer} data-testid="devices">
				{logins.answer?.map((login) => (
					<Device key={login.id} login={login} busy={end.busy} onEnd={() => void end.run(login.id)} />
				))}
			</ul>
			{others && (
				<Confirm
					label="Log out all others"
					question="Log out everywhere but here?"
					confirm="Log out all others"
					testid="devices-end-others"
					busy={endOthers.busy}
					onConfirm={() => void endOthers.run()}
				/>
			)}
		</>
	);
}

function Device(props: { login: Login; busy: boolean; onEnd(): void }) {
	const { login } = props;
	const name = deviceOf(login.user_agent);
	return (
		<li class="item" data-testid="device" data-current={login.current}>
			<span class="item-text">
				<strong title={login.user_agent ?? ""}>{name}</strong>
				<span>
					{login.address && `${login.address} · `}since <time dateTime={login.created_at}>{fullTimeOf(login.created_at)}</time>
				</span>
				<span>{login.current ? "This device" : `Last used ${agoOf(login.last_used_at)}`}</span>
			</span>
			{!login.current && (
				<Confirm label="Log out" about={name} question="Log it out?" confirm="Log out" testid="device-end" busy={props.busy} onConfirm={props.onEnd} />
			)}
		</li>
	);
}
