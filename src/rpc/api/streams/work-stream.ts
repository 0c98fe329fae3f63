import { asHoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import type { WorkRequest, WorkResponse } from '../../../core/messages.ts';
import type { Session, SessionSink } from '../../../service/service.ts';
import type { CallContext, ServerStream, StreamReceiver } from '../api.ts';
import type { ApiDeps } from '../api-deps.ts';
import { requireQueue, requireVerb, tenantOf } from '../permission/access.ts';
import { credit, hello as helloTable } from '../validation/tables.ts';
import { ensure } from '../validation/validate.ts';
import { AssignmentNumbering, splitAssignments } from './assignment-pieces.ts';
import { badSequence, inertReceiver, openChannel, type ServerChannel } from './server-channel.ts';

type Hello = Extract<WorkRequest, { kind: 'hello' }>;

/**
 * Serves one worker's stream of assignments. The worker's hello message opens a session of the service, which handles
 * all later messages.
 */
export function workStream(
  deps: ApiDeps,
  stream: ServerStream<WorkResponse>,
  context: CallContext,
): StreamReceiver<WorkRequest> {
  let session: Session | undefined;
  let greeted: Hello | undefined;
  const channel = openChannel<WorkResponse>(deps, stream, context, {
    draining: () => session?.drain(),
    roomFreed: () => session?.roomFreed(),
    closed: () => session?.close(),
  });
  if (channel === undefined) return inertReceiver;
  const open: ServerChannel<WorkResponse> = channel;
  const numbering = new AssignmentNumbering();

  function greet(hello: Hello): void {
    ensure(helloTable, hello, deps.clock.now());
    requireVerb(context.identity, 'work');
    const tenant = tenantOf(context.identity, hello.tenant);
    for (const queue of hello.queues) requireQueue(context.identity, queue);
    if (session !== undefined && greeted !== undefined) {
      if (!sameWorker(greeted, hello)) throw anotherWorker;
      session.reset(hello);
      return;
    }
    greeted = hello;
    const types = hello.types.map((handled) => ({ ...handled, maxVersion: handled.maxVersion || 1 }));
    const held = holdUntilWelcome();
    session = deps.service.openSession({ ...hello, tenant, types }, held.sink);
    const { leaseMs, heartbeatMs } = timing;
    open.send({ kind: 'welcome', sessionId: session.id, node: deps.node, leaseMs, heartbeatMs });
    held.release();
  }

  /**
   * Holds back the session's messages until `release` is called: the welcome must be the first message on a Work
   * stream.
   */
  function holdUntilWelcome(): { readonly sink: SessionSink; release(): void } {
    let waiting: (() => void)[] | undefined = [];
    const later = (send: () => void): void => {
      if (waiting === undefined) send();
      else waiting.push(send);
    };
    return {
      sink: {
        assign: (seq, tasks) => later(() => assign(seq, tasks)),
        roomBytes: () => open.roomBytes(),
        taking: (bytes) => open.preparing(bytes),
        cancel: (id, fencingToken, cause) =>
          later(() => open.send({ kind: 'cancel', id, fencingToken, cause })),
        drain: () => later(() => open.drain()),
        refuse: (error) => later(() => open.end(error)),
      },
      release() {
        const held = waiting ?? [];
        waiting = undefined;
        for (const send of held) send();
      },
    };
  }

  function assign(seq: number, tasks: Parameters<SessionSink['assign']>[1]): void {
    let sent = 0;
    for (const piece of splitAssignments(tasks)) {
      sent += piece.length;
      open.send({ kind: 'assignments', seq: numbering.next(seq, sent), tasks: piece });
    }
  }

  function received(to: Session, seq: number): void {
    if (seq > numbering.sent) throw neverSent(seq, numbering.sent);
    const acknowledged = numbering.acknowledge(seq);
    if (acknowledged !== undefined) to.received(acknowledged.service, acknowledged.tasks);
  }

  function take(message: WorkRequest): void {
    if (message.kind === 'hello') greet(message);
    else if (session === undefined) throw helloFirst(message.kind);
    else if (message.kind === 'received') {
      if (message.seq > 0) received(session, message.seq);
      session.begun(message.begun, message.attempts);
      if (message.kept.length > 0) session.kept(message.kept);
    } else if (message.kind === 'keepAlive') session.keepAlive();
    else if (message.kind === 'credit') {
      ensure(credit, message, deps.clock.now());
      session.credit(message.tasks, message.bytes, message.types);
    }
  }

  return {
    message(message) {
      open.messageReceived();
      try {
        take(message);
      } catch (thrown) {
        open.end(asHoldfastError(thrown));
      }
    },
    closed: () => open.end(),
  };
}

function sameWorker(one: Hello, other: Hello): boolean {
  const worker = ({ tenant, workerName, workerId, queues, types }: Hello): string =>
    JSON.stringify([tenant, workerName, workerId, queues, types.map((t) => [t.type, t.maxVersion])]);
  return worker(one) === worker(other);
}

const helpAnother = 'A second hello resets the credits only. Open another stream for another worker.';
const anotherWorker = badSequence(
  'A second hello named another worker, other queues or other types.',
  helpAnother,
);

function helloFirst(kind: string): ReturnType<typeof badSequence> {
  return badSequence(
    `The stream began with '${kind}'.`,
    'Send hello first: who the worker is and what it handles.',
  );
}

function neverSent(seq: number, sent: number): ReturnType<typeof badSequence> {
  const help = 'Acknowledge only what came on this stream; numbers begin at 1 on each.';
  return badSequence(`Message ${seq} was acknowledged, but only ${sent} were sent.`, help);
}
