import { describe, expect, it } from 'vitest';
import { Networks, networkProblem } from './networks.ts';

describe('a network in CIDR', () => {
  it.each(['10.0.0.0/8', '192.168.4.0/22', '10.1.2.3/32', 'fd00:1::/64', '::1/128', '2001:db8::ffff:0/112'])(
    '%s is valid',
    (text) => {
      expect(networkProblem(text)).toBeUndefined();
    },
  );

  it.each([
    ['10.0.0.0', 'is no network'],
    ['10.0.0.0/33', 'is no network'],
    ['fd00::/129', 'is no network'],
    ['10.0.0.256/24', 'is no network'],
    ['vpc', 'is no network'],
    ['', 'is no network'],
    ['fe80::1%eth0/64', 'is no network'],
    ['10.0.1.5/16', 'has bits behind its prefix'],
    ['fd00::1/64', 'has bits behind its prefix'],
    ['0.0.0.0/0', 'is every address'],
    ['::/0', 'is every address'],
  ])('%s is refused: it %s', (text, problem) => {
    expect(networkProblem(text)).toContain(problem);
    expect(() => new Networks([text])).toThrow(RangeError);
  });
});

describe('the networks of a listener', () => {
  const networks = new Networks(['10.0.0.0/20', '10.9.0.0/16', 'fd00:1::/64']);

  it.each(['10.0.0.0', '10.0.15.255', '10.9.200.1', '::ffff:10.0.1.5', '::FFFF:10.0.1.5', 'fd00:1::7'])(
    'contain %s',
    (address) => {
      expect(networks.contains(address)).toBe(true);
    },
  );

  it.each([
    '10.0.16.0',
    '11.0.0.1',
    '127.0.0.1',
    '::1',
    'fd00:1:0:1::7',
    '::ffff:11.0.0.1',
    'fe80::1%eth0',
    '',
    'x',
  ])('do not contain %s', (address) => {
    expect(networks.contains(address)).toBe(false);
  });

  it('contain no socket that has closed, which has no address', () => {
    expect(networks.contains(undefined)).toBe(false);
  });
});
