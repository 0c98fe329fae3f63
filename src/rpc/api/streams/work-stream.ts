import { asHoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import type { WorkRequest, WorkResponse } from '../../../core/messages.ts';
import type { Session, SessionSink } from '../../../service/service.ts';
import { requireQueue, requireVerb, tenantOf } from '../access.ts';
import type { CallContext, Received, ServerStream } from '../api.ts';
import type { Parts } from '../parts.ts';
import { credit, hello as helloTable } from '../validation/tables.ts';
import { ensure } from '../validation/validate.ts';
import { Numbering, pieces } from './assignment-pieces.ts';
import { badSequence, type Channel, deaf, openChannel } from './channel.ts';

type Hello = Extract<WorkRequest, { kind: 'hello' }>;

/** One worker's stream of assignments: hello opens a session of the service, the rest is said to it. */
export function workStream(
  parts: Parts,
  stream: ServerStream<WorkResponse>,
  context: CallContext,
): Received<WorkRequest> {
  let session: Session | undefined;
  let greeted: Hello | undefined;
  const channel = openChannel<WorkResponse>(parts, stream, context, {
    draining: () => session?.drain(),
    taken: () => session?.taken(),
    closed: () => session?.close(),
  });
  if (channel === undefined) return deaf;
  const open: Channel<WorkResponse> = channel;
  const numbering = new Numbering();

  function greet(hello: Hello): void {
    ensure(helloTable, hello, parts.clock.now());
    requireVerb(context.identity, 'work');
    const tenant = tenantOf(context.identity, hello.tenant);
    for (const queue of hello.queues) requireQueue(context.identity, queue);
    if (session !== undefined && greeted !== undefined) {
      if (!sameWorker(greeted, hello)) throw anotherWorker;
      session.reset(hello.tasks, hello.bytes);
      return;
    }
    greeted = hello;
    const types = hello.types.map(({ type, maxVersion }) => ({ type, maxVersion: maxVersion || 1 }));
    const welcome = heldBack();
    session = parts.service.openSession({ ...hello, tenant, types }, welcome.sink);
    const { leaseMs, heartbeatMs } = timing;
    open.send({ kind: 'welcome', sessionId: session.id, node: parts.node, leaseMs, heartbeatMs });
    welcome.release();
  }

  /** What the session says before it is announced waits for the welcome. */
  function heldBack(): { readonly sink: SessionSink; release(): void } {
    let waiting: (() => void)[] | undefined = [];
    const later = (say: () => void): void => {
      if (waiting === undefined) say();
      else waiting.push(say);
    };
    return {
      sink: {
        assign: (seq, tasks) => later(() => assign(seq, tasks)),
        roomBytes: () => open.roomBytes(),
        cancel: (id, fencingToken, cause) =>
          later(() => open.send({ kind: 'cancel', id, fencingToken, cause })),
        drain: () => later(() => open.drain()),
        refuse: (error) => later(() => open.end(error)),
      },
      release() {
        const said = waiting ?? [];
        waiting = undefined;
        for (const say of said) say();
      },
    };
  }

  function assign(seq: number, tasks: Parameters<SessionSink['assign']>[1]): void {
    for (const piece of pieces(tasks)) {
      open.send({ kind: 'assignments', seq: numbering.next(), tasks: piece });
    }
    numbering.ends(seq);
  }

  function received(to: Session, seq: number): void {
    if (seq > numbering.sent) throw neverSent(seq, numbering.sent);
    const acknowledged = numbering.acknowledge(seq);
    if (acknowledged !== undefined) to.received(acknowledged);
  }

  function take(message: WorkRequest): void {
    if (message.kind === 'hello') greet(message);
    else if (session === undefined) throw helloFirst(message.kind);
    else if (message.kind === 'received') received(session, message.seq);
    else if (message.kind === 'credit') {
      ensure(credit, message, parts.clock.now());
      session.credit(message.tasks, message.bytes);
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
