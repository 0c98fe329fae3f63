/** The networks from which a listener takes connections, such as the subnets of a load balancer. */
import { BlockList, isIP, isIPv6 } from 'node:net';

/** A network as CIDR writes it, such as `10.0.0.0/20` or `fd00:1::/64`. */
interface Network {
  readonly address: string;
  readonly prefixBits: number;
  readonly family: 'ipv4' | 'ipv6';
}

const cidr = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/;

/** The bits of an IPv4 address, and of the text form of IPv6 addresses that hold IPv4 addresses. */
const ipv4Bits = 32;
const ipv6Bits = 128;

/**
 * Returns why a text is no network that a listener may trust, or undefined. The network of all addresses is refused: it
 * would let every machine pass as any identity.
 */
export function networkProblem(text: string): string | undefined {
  const found = parse(text);
  if (found === undefined) return `'${text}' is no network such as 10.0.0.0/20 or fd00:1::/64`;
  if (found.prefixBits === 0) return `'${text}' is every address`;
  if (!isFirstAddress(found)) return `'${text}' has bits behind its prefix, so it names no network`;
  return undefined;
}

export class Networks {
  readonly #allowed = new BlockList();

  /** @throws RangeError for a text of which `networkProblem` says why it is wrong. */
  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const problem = networkProblem(text);
      if (problem !== undefined) throw new RangeError(problem);
      const { address, prefixBits, family } = parse(text) as Network;
      this.#allowed.addSubnet(address, prefixBits, family);
    }
  }

  /** Whether an address is in one of the networks. An IPv4 address may be written as `::ffff:10.0.0.1`. */
  contains(address: string | undefined): boolean {
    if (address === undefined) return false;
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
    return isIP(plain) !== 0 && this.#allowed.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  }
}

function parse(text: string): Network | undefined {
  const [, address = '', bits = ''] = cidr.exec(text) ?? [];
  const version = isIP(address);
  const prefixBits = Number(bits);
  if (version === 0 || prefixBits > (version === 4 ? ipv4Bits : ipv6Bits)) return undefined;
  return { address, prefixBits, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** Whether no address of the network comes before this one: a smaller one shows bits behind the prefix. */
function isFirstAddress({ address, prefixBits, family }: Network): boolean {
  const value = family === 'ipv4' ? numberOfIpv4(address) : numberOfIpv6(address);
  const hostBits = BigInt((family === 'ipv4' ? ipv4Bits : ipv6Bits) - prefixBits);
  return (value >> hostBits) << hostBits === value;
}

function numberOfIpv4(address: string): bigint {
  return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function numberOfIpv6(address: string): bigint {
  // URLs write the address in its shortest form, an IPv4 address at its end in hexadecimal.
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [before = '', after] = plain.split('::');
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const first = groupsOf(before);
  const last = after === undefined ? [] : groupsOf(after);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}
