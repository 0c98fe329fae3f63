import type { Caller } from './calls.ts';

/** The functions of `aws init` by which tests create the table and the queues of an engine. */
const creating = [
  '/src/cli/aws/init.ts',
  '/src/engines/aws/table/create.ts',
  '/src/engines/aws/broker/sqs/create.ts',
];

/** A process or a test at the moment of a call. */
export interface CallSite {
  readonly argv: readonly string[];
  /** The words of the verb that a test runs in its own process; undefined outside of one. */
  readonly verb: readonly string[] | undefined;
  readonly stack: string;
}

/**
 * Returns who makes a call: of a process of the command, its verb; of a test that runs a verb in its own process, this verb.
 * Other calls in a test are those of the engine in a node, and so of a server, unless the stack goes through a function that
 * creates the store. Undefined if the test itself makes the call, for example to damage an item.
 */
export function callerOf({ argv, verb, stack }: CallSite): Caller | undefined {
  const [, program = '', ...words] = argv;
  if (/\/(src|dist)\/cli\/main\.[jt]s$/.test(program)) return ofVerb(words);
  const frames = stack
    .split('\n')
    .filter((line) => /^\s+at .*\/(src|test)\//.test(line) && !line.includes('/node_modules/'))
    .filter((line) => !line.includes('/test/runs/iam/'));
  if (frames[0]?.includes('/test/') !== false) return undefined;
  if (verb !== undefined) return ofVerb(verb);
  const isCreating = creating.some((path) => frames.some((line) => line.includes(path)));
  return isCreating ? 'init' : 'server';
}

function ofVerb(words: readonly string[]): Caller | undefined {
  const verbs = ` ${words.filter((word) => !word.startsWith('-')).join(' ')} `;
  if (verbs.startsWith(' aws init ')) return 'init';
  if (verbs.startsWith(' dlq drain ')) return 'drain';
  if (verbs.startsWith(' queues redispatch ')) return 'redispatch';
  if (verbs.startsWith(' serve ')) return 'server';
  return verbs.startsWith(' worker ') ? 'worker' : undefined;
}
