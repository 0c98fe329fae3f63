import { HoldfastError } from '../../../core/errors.ts';
import { asMib } from '../../../core/explain/words.ts';

/** The classes of SQLite errors that the store handles differently. */
export type StoreFailureKind =
  /** The disk, or a quota of it, is full. The whole transaction is rolled back. */
  | 'full'
  | 'corrupt'
  /** A file of the store is not the one any more that this process opened. */
  | 'moved'
  | 'locked'
  | 'readOnly'
  /** The values of one SQL statement are invalid. The store itself works. */
  | 'item'
  /** An I/O error or an unknown error. The store must stop, because its state is unknown. */
  | 'broken';

/**
 * SQLITE_FULL, SQLITE_IOERR_WRITE, and SQLITE_IOERR_SHMSIZE: the file for the index of the log, which only a process that
 * reads the store without its lock makes, has no space.
 */
const fullCodes: ReadonlySet<number> = new Set([13, 778, 4_874]);
/** No space on the disk, none in a quota, or a file larger than the limit of the process. */
const fullDiskErrors: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

interface SqliteError {
  readonly errcode: number;
}

function isSqliteError(thrown: unknown): thrown is SqliteError {
  return thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number';
}

/** Returns whether SQLite did not understand a statement (1 SQLITE_ERROR), such as one that names a missing index. */
export function isSqlError(thrown: unknown): boolean {
  return isSqliteError(thrown) && thrown.errcode === 1;
}

export function failureKindOf(thrown: unknown): StoreFailureKind {
  if (thrown instanceof HoldfastError && thrown.reason === 'STORE_CORRUPT') return 'corrupt';
  if (thrown instanceof HoldfastError && thrown.reason === 'STORE_MOVED') return 'moved';
  if (fullDiskErrors.has((thrown as Partial<NodeJS.ErrnoException> | undefined)?.code)) return 'full';
  if (!isSqliteError(thrown)) return 'item';
  const code = thrown.errcode;
  if (fullCodes.has(code)) return 'full';
  switch (code & 0xff) {
    case 11:
    case 26:
      return 'corrupt';
    case 5:
    case 6:
      return 'locked';
    case 8:
      return 'readOnly';
    case 18:
    case 19:
    case 20:
    case 25:
      return 'item';
    default:
      return 'broken';
  }
}

/** Returns the error of a refused submission or claim. `neededBytes` must be free before the store accepts any again. */
export function storeFull(neededBytes: number, cause?: unknown): HoldfastError {
  const free = neededBytes === 0 ? 'space' : `at least ${asMib(neededBytes)}`;
  return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_FULL', 'the disk of the store is full', {
    cause,
    retryAfterMs: 5_000,
    help: `Nothing was done. Free ${free} on the disk of the store, then send the request again.`,
  });
}

/** Returns the error for a store that cannot be opened, because its file must grow for it and the disk is full. */
export function storeDoesNotFit(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_FULL', `the disk of ${path} is full`, {
    cause,
    help: 'Nothing was done. Free space on this disk, then start again.',
  });
}

export function storeBusy(): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'too many writes are waiting for the store', {
    retryAfterMs: 200,
    help: 'Nothing was done. Send the request again a little later, or fewer at once.',
  });
}

export function storeFailed(cause?: unknown): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'the store failed while it wrote', {
    cause,
    help: 'The outcome is unknown. Retry with the same idempotency key once the server is back.',
  });
}

export function storeClosed(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'the store is closed', {
    help: 'Nothing was done. Retry once the server is back.',
  });
}

export function storeCorrupt(path: string, cause?: unknown): HoldfastError {
  const what = typeof cause === 'string' ? `is damaged: ${cause}` : 'is damaged, or is not a database';
  return new HoldfastError('DATA_LOSS', 'STORE_CORRUPT', `${path} ${what}`, {
    cause,
    help: 'Restore the last backup, or move the file away to begin with an empty store. It was not changed.',
  });
}

/** Returns the error for a store whose log or file lacks commits that were acknowledged. */
export function commitsMissing(path: string, text: string): HoldfastError {
  return new HoldfastError('DATA_LOSS', 'STORE_CORRUPT', text, {
    help: `Nothing was changed. Put the right files back, or restore a backup. To go on without the missing commits: holdfast check ${path} --accept-loss`,
  });
}

export function noStore(path: string): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', `${path} does not exist`, {
    help: 'Name the file of a store.',
  });
}

export function damagedTask(taskId: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'DATA_LOSS',
    'STORE_CORRUPT',
    `task '${taskId}' is damaged in the file of the store`,
    {
      cause,
      taskId,
      help: 'Restore the last backup. Nothing was done with the task, and the file was not changed.',
    },
  );
}

/** Returns the error for a file of the store that is not the one any more that this process opened. */
export function storeMoved(path: string, how: string): HoldfastError {
  return new HoldfastError('DATA_LOSS', 'STORE_MOVED', `${path} ${how} while it was open`, {
    help: 'Nothing more is written. Put the file back, with its -wal and .pid beside it, and start again. If it is gone, restore the last backup.',
  });
}

/** Returns the error for a write-ahead log that was moved, removed or replaced. `isSaved`: its commits are in the store's file. */
export function logMoved(path: string, how: string, isSaved: boolean): HoldfastError {
  if (!isSaved) return storeMoved(path, how);
  return new HoldfastError('DATA_LOSS', 'STORE_MOVED', `${path} ${how} while it was open`, {
    help: 'No commit is lost: all of them were copied into the file of the store. Move away any other file of this name, and start again.',
  });
}

export function storeReadOnly(path: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'FAILED_PRECONDITION',
    'STORE_READ_ONLY',
    `${path} or its folder can't be written`,
    {
      cause,
      help: 'Give this user write permission for the file and its folder, or name another path.',
    },
  );
}

export function storeLocked(path: string, holder: string, cause?: unknown): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'STORE_LOCKED', `${path} is held by ${holder}`, {
    cause,
    help: 'One process holds the file at a time. Stop the other one, or connect to it instead.',
  });
}

/** Converts an error that SQLite threw outside a commit into the HoldfastError for the caller. */
export function asStoreError(thrown: unknown, path: string): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  switch (failureKindOf(thrown)) {
    case 'full':
      return storeFull(0, thrown);
    case 'corrupt':
      return storeCorrupt(path, thrown);
    case 'readOnly':
      return storeReadOnly(path, thrown);
    case 'locked':
      return storeLocked(path, 'another process', thrown);
    default:
      return storeFailed(thrown);
  }
}
