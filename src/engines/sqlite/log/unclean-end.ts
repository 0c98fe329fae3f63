import { statSync } from 'node:fs';
import { readFileIdentity, type StoreIdentity } from './identity.ts';
import { type LogScan, scanLog } from './log-scan.ts';
import { type LogPosition, type PidFileContent, readPidFile } from './pid-file.ts';

/** A fault of the files of a store that was not closed in order, as far as it can be detected. */
export interface LogFault {
  /**
   * `noFile`: the store's file is gone, its log or pid file is there. `noLog`, `shortLog`, `damagedLog`: commits that were
   * acknowledged are not in the log. `otherLog`, `otherFile`: log and file are not parts of one store, or not of one time.
   */
  readonly kind: 'noFile' | 'noLog' | 'shortLog' | 'damagedLog' | 'otherLog' | 'otherFile';
  /** The sentence for the operator. */
  readonly text: string;
}

/** The most runs of the log that may have begun after a pid file of which a loss of power left an older version. */
const mostNewerRuns = 65_536;

interface Left {
  readonly path: string;
  readonly logPath: string;
  readonly pid: PidFileContent | undefined;
  readonly position: LogPosition | undefined;
  readonly log: LogScan | 'missing' | 'empty' | 'damaged';
  /** The identity in the store's file without its log. */
  readonly identity: StoreIdentity | undefined;
}

function isEmptyOrMissing(path: string): boolean {
  try {
    return statSync(path).size === 0;
  } catch {
    return true;
  }
}

function leftBy(path: string, logPath: string, pidPath: string): Left {
  const pid = readPidFile(pidPath);
  const position = typeof pid === 'object' ? pid : undefined;
  const file = isEmptyOrMissing(path) ? undefined : readFileIdentity(path);
  return { path, logPath, pid, position, log: scanLog(logPath, file?.page), identity: file?.identity };
}

function hasCommits({ log }: Left): boolean {
  return typeof log === 'object' && log.frames > 0;
}

function fileFault(left: Left): LogFault | undefined {
  const { path, logPath, pid, position, identity } = left;
  if (isEmptyOrMissing(path)) {
    const isLeft = (pid !== undefined && pid !== 'closed') || hasCommits(left);
    return isLeft
      ? { kind: 'noFile', text: `${path} is gone, but the files beside it are there` }
      : undefined;
  }
  if (position === undefined || identity === undefined) return undefined;
  if (identity.store !== position.store)
    return {
      kind: 'otherFile',
      text: `${path} is another store than the one whose ${logPath} and .pid are there`,
    };
  if (identity.logNumber < position.logNumber - 1)
    return { kind: 'otherFile', text: `${path} is older than the ${logPath} and the .pid beside it` };
  return undefined;
}

/** Finds a log that does not belong to the store's file, by the identities in both of them. */
function otherLog({ path, logPath, log, identity }: Left): LogFault | undefined {
  if (typeof log !== 'object' || log.frames === 0 || identity === undefined) return undefined;
  const isOwn = log.identity?.store === identity.store && log.identity.logNumber >= identity.logNumber;
  return isOwn ? undefined : { kind: 'otherLog', text: `${logPath} is not the log of ${path}` };
}

function missingLog({ path, logPath, pid, log }: Left): LogFault | undefined {
  if (log === 'damaged')
    return {
      kind: 'damagedLog',
      text: `${logPath} is damaged at its beginning, and SQLite would ignore all of it`,
    };
  // Programs of an earlier version left the pid file and no log behind when they ended in order without `close`.
  const isLeft = pid === 'unreadable' || typeof pid === 'object';
  if (log === 'missing' && isLeft)
    return { kind: 'noLog', text: `${logPath} is missing, although ${path} was not closed in order` };
  if (log === 'empty' && typeof pid === 'object')
    return { kind: 'shortLog', text: `${logPath} is empty, although ${path} was not closed in order` };
  return undefined;
}

function commitFault(left: Left): LogFault | undefined {
  const { path, logPath, position, log } = left;
  if (typeof log !== 'object') return undefined;
  const { salts, frames, isDamaged } = log;
  if (isDamaged)
    return { kind: 'damagedLog', text: `${logPath} is damaged: commits follow behind the damage` };
  if (position === undefined) return otherLog(left);
  const newerRuns = (salts[0] - position.salts[0]) >>> 0;
  const isSameRun = newerRuns === 0 && salts[1] === position.salts[1];
  if (!isSameRun && (newerRuns === 0 || newerRuns > mostNewerRuns))
    return { kind: 'otherLog', text: `${logPath} is not the log of ${path}` };
  if (isSameRun && frames < position.frames) {
    const text = `${logPath} was cut or is damaged: ${frames} of its ${position.frames} pages can be read`;
    return { kind: 'shortLog', text };
  }
  return otherLog(left);
}

/**
 * Looks at the files of a store that no process holds, before SQLite does: SQLite opens a store whose log is missing,
 * damaged or another one's as if nothing had been lost. Returns undefined if no loss can be detected.
 */
export function findLogFault(path: string, logPath: string, pidPath: string): LogFault | undefined {
  const left = leftBy(path, logPath, pidPath);
  return fileFault(left) ?? missingLog(left) ?? commitFault(left);
}
