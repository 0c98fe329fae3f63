import type { Random } from './random.ts';

const mostKept = 400;

/** Values that the server answered, such as leases, with which later messages reach deeper into the server. */
export class KnownValues {
  readonly leases: Uint8Array[] = [];
  readonly ids: string[] = [];
  readonly pages: string[] = [];
  readonly sessions: string[] = [];

  addLease(lease: Uint8Array): void {
    keep(this.leases, lease);
  }

  /** Learns from a message in the form of JSON: the fields that other calls take. */
  learn(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    for (const [name, value] of Object.entries(message)) {
      if (typeof value !== 'string') this.learn(value);
      else if (value === '') continue;
      else if (name === 'id' || name === 'taskId') keep(this.ids, value);
      else if (name === 'lease') keep(this.leases, Buffer.from(value, 'base64'));
      else if (name === 'nextPageToken') keep(this.pages, value);
      else if (name === 'sessionId') keep(this.sessions, value);
    }
  }

  id(random: Random): string | undefined {
    return this.ids.length === 0 ? undefined : random.pick(this.ids);
  }

  /** Returns a lease: a true one, a cut one, one whose bytes were changed, or the head of one with the tail of another. */
  lease(random: Random): Uint8Array {
    if (this.leases.length === 0 || random.chance(0.1)) return random.bytes(random.below(80));
    const lease = Buffer.from(random.pick(this.leases));
    const cut = random.below(lease.length + 1);
    switch (random.below(7)) {
      case 0:
        return lease.subarray(0, cut);
      case 1:
        lease[cut % lease.length] = random.below(256);
        return lease;
      case 2:
        return Buffer.concat([lease.subarray(0, cut), Buffer.from(random.pick(this.leases)).subarray(cut)]);
      case 3:
        return Buffer.concat([lease, random.bytes(random.between(1, 2_100))]);
      default:
        return lease;
    }
  }
}

function keep<T>(values: T[], value: T): void {
  values.push(value);
  if (values.length > mostKept) values.shift();
}
