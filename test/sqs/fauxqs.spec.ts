import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { bellsContract } from './bells-contract.ts';
import { bellsOnSqs } from './bells-on-sqs.ts';

bellsContract('bells on SQS, fauxqs', startFauxqs);
bellsOnSqs('bells on SQS beside the contract, fauxqs', startFauxqs);
