import { HoldfastError } from '../../core/errors.ts';

/** Why `holdfast dev` could not start, in the words of someone who runs it twice. */
export function refusedStart(thrown: unknown, module: string | undefined): unknown {
  if (!(thrown instanceof HoldfastError)) return thrown;
  if (thrown.reason === 'STORE_LOCKED') {
    const holder = /process \d+/.exec(thrown.message)?.[0];
    const beside = module === undefined ? 'npx holdfast list' : `npx holdfast worker ${module}`;
    return new HoldfastError(
      thrown.code,
      thrown.reason,
      `A holdfast already runs in this folder${holder === undefined ? '' : ` (${holder})`}.`,
      {
        help: `Use that one (${beside}), or stop it first, or keep another store: --dir <folder>.`,
        cause: thrown,
      },
    );
  }
  if (thrown.reason === 'PORT_IN_USE') {
    return new HoldfastError(thrown.code, thrown.reason, thrown.message, {
      help: 'Perhaps a holdfast runs in another folder. Take free ports: --port 0 --http-port 0.',
      cause: thrown,
    });
  }
  return thrown;
}
