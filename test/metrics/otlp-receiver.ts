/** A collector of metrics in this process: it takes OTLP over HTTP with protobuf, and can hang or refuse. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

type Field = Uint8Array | bigint | number;
type Fields = ReadonlyMap<number, readonly Field[]>;

/** Reads the fields of any protobuf message by their numbers. */
function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Field[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value =
      type === WireType.LengthDelimited
        ? reader.bytes()
        : type === WireType.Bit64
          ? BigInt(reader.fixed64())
          : Number(reader.uint64());
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function messages(fields: Fields | undefined, number: number): Fields[] {
  return (fields?.get(number) ?? []).map((bytes) => fieldsOf(bytes as Uint8Array));
}

function text(fields: Fields | undefined, number: number): string {
  return new TextDecoder().decode(fields?.get(number)?.[0] as Uint8Array | undefined);
}

function doubleOf(bits: Field | undefined): number {
  return new Float64Array(new BigUint64Array([BigInt(bits as bigint)]).buffer)[0] ?? Number.NaN;
}

function attributesOf(fields: Fields, number: number): Record<string, string> {
  return Object.fromEntries(
    messages(fields, number).map((one) => [text(one, 1), text(messages(one, 2)[0], 1)]),
  );
}

export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: 'gauge' | 'sum' | 'exponentialHistogram';
  readonly points: readonly {
    readonly attributes: Readonly<Record<string, string>>;
    readonly value: number;
    readonly count: number;
    readonly bucketCounts: number;
  }[];
}

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly resource: Readonly<Record<string, string>>;
  readonly metrics: readonly ReceivedMetric[];
}

const kinds = [
  [5, 'gauge'],
  [7, 'sum'],
  [10, 'exponentialHistogram'],
] as const;

function metricOf(fields: Fields): ReceivedMetric {
  const [number, kind] = kinds.find(([field]) => fields.has(field)) ?? kinds[0];
  const points = messages(messages(fields, number)[0], 1).map((point) => {
    const isHistogram = kind === 'exponentialHistogram';
    const packed = messages(point, 8)[0]?.get(2)?.[0] as Uint8Array | undefined;
    const reader = new BinaryReader(packed ?? new Uint8Array());
    let bucketCounts = 0;
    while (reader.pos < reader.len) bucketCounts += Number(reader.uint64());
    return {
      attributes: attributesOf(point, isHistogram ? 1 : 7),
      value: doubleOf(point.get(isHistogram ? 5 : 4)?.[0]),
      count: Number(isHistogram ? point.get(4)?.[0] : 0),
      bucketCounts,
    };
  });
  return { name: text(fields, 1), unit: text(fields, 3), kind, points };
}

function receivedOf(headers: IncomingHttpHeaders, body: Uint8Array): Received {
  const [ofResource] = messages(fieldsOf(body), 1);
  const [resource] = messages(ofResource, 1);
  const metrics = messages(messages(ofResource, 2)[0], 2).map(metricOf);
  return { headers, resource: resource === undefined ? {} : attributesOf(resource, 1), metrics };
}

export interface OtlpReceiver {
  readonly url: string;
  readonly received: Received[];
  /** How the receiver answers from now on. */
  mode: 'takes' | 'hangs' | 'fails';
  /** The requests that are open now, and the most that were open at one time. */
  readonly open: { now: number; most: number; total: number };
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const received: Received[] = [];
  const open = { now: 0, most: 0, total: 0 };
  const server = createServer(async (request, response) => {
    open.total++;
    open.now++;
    open.most = Math.max(open.most, open.now);
    response.once('close', () => open.now--);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (receiver.mode === 'hangs') return;
    if (receiver.mode === 'takes') received.push(receivedOf(request.headers, Buffer.concat(chunks)));
    response.writeHead(receiver.mode === 'fails' ? 500 : 200, { 'content-type': 'application/x-protobuf' });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${port}`,
    received,
    mode: 'takes',
    open,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return receiver;
}
