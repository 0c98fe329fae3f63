/** Counts the bytes that V8 allocates, in the same way in every run. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// The optimising compilers leave allocations out, at another moment in each run: with them the same work differs by 15 %.
setFlagsFromString('--no-opt');
setFlagsFromString('--no-maglev');
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Returns the bytes that this process has allocated on V8's heap. V8 counts them exactly only after a collection. */
export function allocatedBytes(): number {
  collect();
  return getHeapStatistics().total_allocated_bytes;
}
