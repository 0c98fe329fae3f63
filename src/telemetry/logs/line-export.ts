import type { Clock } from '../../ports/clock.ts';
import { type Log, type LogFields, silentLog } from '../../ports/log.ts';
import { CollectorLog } from '../otlp/collector-log.ts';
import { LineQueue } from './line-queue.ts';
import type { LogSettings } from './log-settings.ts';

/** Sends lines in one request. Rejects with the cause if the collector did not take them. */
export type SendLines = (lines: readonly string[]) => Promise<void>;

export interface LineExportOptions
  extends Pick<LogSettings, 'delayMs' | 'queuedLines' | 'batchLines' | 'timeoutMs'> {
  readonly clock: Clock;
  readonly log: Log;
  readonly send: SendLines;
}

/**
 * Sends log lines to a collector in batches, one request at a time. Lines wait in a bounded queue; a collector that is down
 * or slow costs lines, and no more memory than the queue and one request.
 */
export class LineExport {
  readonly #options: LineExportOptions;
  readonly #queue: LineQueue;
  readonly #collectorLog: CollectorLog;
  #dropped = 0;
  /** The dropped lines that the log does not name yet. */
  #unlogged = 0;
  #inRequest = 0;
  /** True while this export itself writes a line: its failures are no lines for the collector. */
  #isOwnLine = false;
  #isStopped = false;
  #sending: Promise<void> | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: LineExportOptions) {
    this.#options = options;
    this.#queue = new LineQueue(options.queuedLines);
    this.#collectorLog = new CollectorLog(options.clock, this.#notExported(options.log), 'logs');
  }

  get dropped(): number {
    return this.#dropped;
  }

  add(line: string): void {
    if (this.#isOwnLine || this.#isStopped) return;
    if (!this.#queue.add(line)) {
      // The log names it after the request that is under way, and not here, where a line is just being written.
      this.#dropped++;
      this.#unlogged++;
    }
    this.#schedule();
  }

  /** Sends the waiting lines for at most `limitMs`. The lines that are left then are dropped. */
  async stop(limitMs: number): Promise<void> {
    const over = new AbortController();
    await Promise.race([this.#sendAll(over.signal), this.#options.clock.sleep(limitMs, over.signal)]);
    over.abort();
    this.#isStopped = true;
    this.#cancel?.();
    const left = this.#queue.length + this.#inRequest;
    this.#dropped += left;
    if (left > 0) this.#collectorLog.failed(left, new Error(`no answer within ${limitMs} ms`));
    this.#collectorLog.close();
  }

  #schedule(): void {
    if (this.#sending !== undefined) return;
    const { clock, delayMs, batchLines } = this.#options;
    if (this.#queue.length >= batchLines) this.#begin();
    else this.#cancel ??= clock.after(delayMs, () => this.#begin());
  }

  #begin(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#sending ??= this.#sendBatch().then(() => {
      this.#sending = undefined;
      if (this.#queue.length > 0 && !this.#isStopped) this.#schedule();
    });
  }

  async #sendAll(over: AbortSignal): Promise<void> {
    while (!over.aborted && (this.#sending !== undefined || this.#queue.length > 0)) {
      this.#begin();
      await this.#sending;
    }
  }

  async #sendBatch(): Promise<void> {
    const { batchLines, clock, timeoutMs, send } = this.#options;
    // The call that logs the last line of a batch must not wait until all of them are converted.
    await new Promise<void>((resolve) => clock.soon(resolve));
    const lines = this.#queue.take(batchLines);
    this.#inRequest = lines.length;
    const over = new AbortController();
    const late = clock.sleep(timeoutMs, over.signal).then(() => {
      if (!over.signal.aborted) throw new Error(`no answer within ${timeoutMs} ms`);
    });
    try {
      await Promise.race([send(lines), late]);
    } catch (thrown) {
      if (this.#isStopped) return;
      this.#dropped += lines.length;
      this.#collectorLog.failed(lines.length, thrown);
    } finally {
      over.abort();
      this.#inRequest = 0;
    }
    if (this.#unlogged > 0 && !this.#isStopped) this.#collectorLog.dropped(this.#unlogged);
    this.#unlogged = 0;
  }

  /** Returns a log whose lines are written and not exported. */
  #notExported(log: Log): Log {
    const warn = (fields: LogFields, message: string): void => {
      this.#isOwnLine = true;
      try {
        log.warn(fields, message);
      } finally {
        this.#isOwnLine = false;
      }
    };
    return { ...silentLog, warn };
  }
}
