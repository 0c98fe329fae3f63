import { expect, it } from 'vitest';
import { startListeningNode } from '../../fixtures/listening-node.ts';
import { findingText } from './findings.ts';
import { Fuzzer } from './fuzzer.ts';
import { issueClients, policy } from './identities.ts';

it('a node answers thousands of random and mutated messages on every rpc and HTTP path with documented errors', async () => {
  await using node = await startListeningNode({ policy });
  const { canary: _, ...clients } = await issueClients((name) => node.authority.issue(name, 'client'));
  const httpAddress = `127.0.0.1:${node.listening.httpPort}`;
  const found: string[] = [];
  const fuzzer = await Fuzzer.create({ address: node.address, httpAddress, clients }, (finding) => {
    found.push(findingText(finding));
  });
  await fuzzer.run({ seed: 1, until: 1_500, lanes: 24 });
  await fuzzer.close();
  expect(found).toEqual([]);
  expect(fuzzer.messages).toBeGreaterThan(1_500);
  expect(node.lines.filter(({ level }) => level === 'error')).toEqual([]);
});
