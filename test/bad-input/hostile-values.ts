/**
 * Values that are hard to convert to text or to JSON, and a worker whose handlers throw, return, log or report each of
 * them. The worker also has an ordinary handler, whose tasks must not suffer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AttemptContext,
  defineTask,
  defineWorker,
  FatalError,
  handle,
  RetryAfter,
  Snooze,
  typed,
} from '../../src/index.ts';

/** How a handler hands over the value: to `throw`, `return`, `context.log` or `context.progress`. */
export type Way = 'thrown' | 'returned' | 'logged' | 'reported';

interface HostileValue {
  make(): unknown;
  /** Whether an attempt that returns the value succeeds. */
  readonly returns: 'succeeded' | 'dead';
}

const long = 'x'.repeat(1_500_000);
const bad = (make: () => unknown): HostileValue => ({ make, returns: 'dead' });
const fine = (make: () => unknown): HostileValue => ({ make, returns: 'succeeded' });

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const thrower = (): never => {
  throw new TypeError('trapped');
};
/** A proxy that throws at every operation. */
const trapped = (): object =>
  new Proxy(new Error('never read'), new Proxy({}, { get: () => thrower }) as ProxyHandler<Error>);
const errorWith = (fields: Record<string, unknown>): Error => {
  const error = new Error('overwritten');
  for (const [name, value] of Object.entries(fields)) Object.defineProperty(error, name, { value });
  return error;
};
const errorWithGetter = (name: string, get: () => unknown): Error =>
  Object.defineProperty(new Error('read it'), name, { get, enumerable: true });
const circular = (): object => {
  const value: Record<string, unknown> = { n: 1 };
  value.self = value;
  return value;
};
const circularCause = (): Error => {
  const error = new Error('the first cause');
  error.cause = error;
  return error;
};
const deep = (levels: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
};
/** A small object that JSON writes as 2^40 texts. */
const repeated = (): unknown => {
  let value: unknown = 'text';
  for (let i = 0; i < 40; i++) value = [value, value];
  return value;
};
const endless = (): object => ({
  get next() {
    return endless();
  },
});
const noPrototype = (): object => Object.assign(Object.create(null), { toString: 1 });

export const hostile: Readonly<Record<string, HostileValue>> = {
  undefined: fine(() => undefined),
  null: fine(() => null),
  NaN: bad(() => Number.NaN),
  Infinity: bad(() => Number.POSITIVE_INFINITY),
  'a percentage as text': fine(() => '50%'),
  'a text of 1.5 million characters': bad(() => long),
  'a text with half of a surrogate pair': fine(() => 'a\ud800'),
  'a bigint': bad(() => 1n),
  'a bigint of a million bits': bad(() => 1n << 1_000_000n),
  'a symbol': bad(() => Symbol(long)),
  'a function': bad(() => function named() {}),
  'a circular object': bad(circular),
  'an object of 100,000 levels': bad(() => deep(100_000)),
  'an object that holds a part 2^40 times': bad(repeated),
  'an object without an end': bad(endless),
  'an object without a prototype': fine(noPrototype),
  'an object whose toJSON throws': bad(() => ({ toJSON: thrower })),
  'an object whose toJSON returns undefined': bad(() => ({ toJSON: () => undefined })),
  'an object whose toJSON returns a bigint': bad(() => ({ toJSON: () => 1n })),
  'an object whose toString throws': bad(() => ({ toString: thrower, valueOf: thrower })),
  'an object with a getter that throws': bad(() =>
    Object.defineProperty({}, 'n', { get: thrower, enumerable: true }),
  ),
  'an object whose then throws': bad(() => Object.defineProperty({}, 'then', { get: thrower })),
  'an array of 2^32 - 1 holes': bad(() => new Array(2 ** 32 - 1)),
  '16 MiB of bytes': bad(() => new Uint8Array(2 ** 24)),
  'a revoked proxy': bad(revoked),
  'a proxy that throws at every trap': bad(trapped),
  'an object that holds a revoked proxy': bad(() => ({ inside: revoked() })),
  'an error with a message of 1.5 million characters': fine(() => new Error(long)),
  'an error with a message of 500,000 lines': fine(() => new Error('\n'.repeat(500_000))),
  'an error whose message is an object': fine(() => errorWith({ message: { code: 7 } })),
  'an error whose message is a symbol': fine(() => errorWith({ message: Symbol('message') })),
  'an error whose message is itself': fine(() => {
    const error = new Error('overwritten');
    return Object.defineProperty(error, 'message', { value: error });
  }),
  'an error whose name is an object': fine(() => errorWith({ name: { first: 'E' } })),
  'an error whose name has 1.5 million characters': fine(() => errorWith({ name: long })),
  'an error whose stack is a number': fine(() => errorWith({ stack: 7 })),
  'an error whose message cannot be read': bad(() => errorWithGetter('message', thrower)),
  'an error whose name cannot be read': bad(() => errorWithGetter('name', thrower)),
  'an error whose stack cannot be read': bad(() => errorWithGetter('stack', thrower)),
  'an error whose cause cannot be read': bad(() => errorWithGetter('cause', thrower)),
  'an error whose cause is itself': bad(circularCause),
  'an error whose cause is a revoked proxy': fine(() => new Error('caused', { cause: revoked() })),
  'a frozen error': fine(() => Object.freeze(new Error('frozen'))),
  'a FatalError whose message is an object': fine(() =>
    Object.defineProperty(new FatalError('no'), 'message', { value: { code: 7 } }),
  ),
  'a Snooze for NaN ms': bad(() => new Snooze(Number.NaN)),
  'a Snooze for an object': bad(() => new Snooze({} as never)),
  'a Snooze whose wait was changed to a text': fine(() =>
    Object.assign(new Snooze('1s'), { afterMs: 'soon' }),
  ),
  'a Snooze whose wait was changed to a million years': fine(() =>
    Object.assign(new Snooze('1s'), { afterMs: 1e6 * 365 * 86_400_000 }),
  ),
  'a RetryAfter for a symbol': bad(() => new RetryAfter(Symbol('1s') as never)),
  'a RetryAfter whose wait was changed to -1': fine(() =>
    Object.assign(new RetryAfter('1s'), { afterMs: -1 }),
  ),
  'a RetryAfter with a revoked proxy as its cause': fine(() => new RetryAfter('1s', revoked())),
};

const retry = { maxAttempts: 1 } as const;
export const odd = defineTask('hostile', {
  input: typed<{ value: string; way: Way }>(),
  output: typed<unknown>(),
  queue: 'hostile',
  retry,
});
export const innocent = defineTask('innocent', {
  input: typed<null>(),
  output: typed<string>(),
  queue: 'hostile',
  retry,
});
const innocentMs = 30;

async function handOver(
  way: Way,
  make: () => unknown,
  { log, progress }: Pick<AttemptContext, 'log' | 'progress'>,
) {
  switch (way) {
    case 'thrown':
      throw make();
    case 'returned':
      return make();
    case 'logged':
      log.error(make() as object);
      log.error({ value: make(), err: make() }, make() as string);
      log.debug(make() as object, 'at a level that is not written');
      return way;
    case 'reported':
      for (let i = 0; i < 3; i++) {
        progress(make() as number);
        progress(0.5, make() as string);
        await sleep(5);
      }
      return way;
  }
}

/** The worker. `innocent` tasks run beside those of the hostile values. */
export const worker = defineWorker({
  concurrency: 16,
  handlers: [
    handle(odd, ({ value, way }, context) =>
      handOver(way, hostile[value]?.make ?? (() => 'no such value'), {
        log: context.log,
        progress: (fraction, note) => context.progress(fraction, note),
      }),
    ),
    handle(innocent, async () => {
      await sleep(innocentMs);
      return 'well';
    }),
  ],
});
export default worker;
