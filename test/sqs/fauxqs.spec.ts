import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { bellsContract } from './bells-contract.ts';

bellsContract('bells on SQS, fauxqs', startFauxqs);
