/** Counts the calls of this process's functions, by the engine of JavaScript itself. */
import { Session } from 'node:inspector/promises';

const root = new URL('../../../../', import.meta.url).href;

export interface CalledFunctions {
  /** Returns the functions of `src/` that were called since the last call, each as `file name`. */
  take(): Promise<readonly string[]>;
}

export async function countCalledFunctions(): Promise<CalledFunctions> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  return {
    async take() {
      const { result } = await session.post('Profiler.takePreciseCoverage');
      return result
        .filter(({ url }) => url.startsWith(`${root}src/`))
        .flatMap(({ url, functions }) =>
          functions
            .filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0)
            .map(({ functionName }) => `${url.slice(root.length)} ${functionName}`),
        );
    },
  };
}
