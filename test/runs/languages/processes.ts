import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, connect as dial, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** A process whose lines of output are kept, so that a case can wait for one. */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly lines: string[] = [];
  #changed: (() => void)[] = [];
  #ended = false;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#add(line));
    this.#child.once('close', () => {
      this.#ended = true;
      this.#notify();
    });
  }

  /** Resolves to the match of the first line that matches. Rejects when the process has ended without one, or after 30 s. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const giveUpMs = Date.now() + 30_000;
    for (;;) {
      for (const line of this.lines) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      if (this.#ended || Date.now() > giveUpMs)
        throw new Error(`no line matched ${pattern}; the lines: ${JSON.stringify(this.lines)}`);
      await new Promise<void>((done) => {
        this.#changed.push(done);
        setTimeout(done, 1_000).unref();
      });
    }
  }

  stop(): void {
    this.#child.kill();
  }

  #add(line: string): void {
    this.lines.push(line);
    this.#notify();
  }

  #notify(): void {
    for (const done of this.#changed.splice(0)) done();
  }
}

export interface CuttingLink {
  readonly port: number;
  /** The number of answers that were lost. */
  readonly lost: () => number;
  /** From now on, cuts the connection at the server's next bytes that are more than a frame of control, once. */
  loseNext(): void;
  close(): void;
}

/** More bytes than the answers to keep-alives and settings have, and fewer than an answer with a task. */
const answerBytes = 150;

/** Opens a link to a server that can lose an answer: the server has done its work, and the client does not receive the answer. */
export async function openLink(serverPort: number): Promise<CuttingLink> {
  const sockets = new Set<Socket>();
  let loses = false;
  let lost = 0;
  const link = createServer((client) => {
    const server = dial(serverPort, '127.0.0.1');
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    client.on('data', (bytes) => server.write(bytes));
    server.on('data', (bytes) => {
      if (!loses || bytes.length < answerBytes) return void client.write(bytes);
      loses = false;
      lost++;
      end();
    });
  });
  await new Promise<void>((done) => link.listen(0, '127.0.0.1', done));
  return {
    port: (link.address() as { port: number }).port,
    lost: () => lost,
    loseNext() {
      loses = true;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      link.close();
    },
  };
}
