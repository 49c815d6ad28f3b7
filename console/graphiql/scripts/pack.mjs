// Replaces the large files of the build by their gzip form, so that the
// repository and the binary carry them once and small. The handler hands the
// packed bytes on, and unpacks them for the rare client that takes no gzip.
//
// fflate rather than node:zlib, whose output differs between releases and
// processors: the committed files must be what anybody's build makes.
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'fflate';

const dist = fileURLToPath(new URL('../../../server/graphiql/dist', import.meta.url));

/** Below this size packing saves less than it costs to think about. */
const smallest = 4096;

let total = 0;
for (const entry of readdirSync(dist, { recursive: true })) {
  const path = join(dist, entry);
  if (!statSync(path).isFile()) {
    continue;
  }
  const plain = readFileSync(path);
  if (plain.length < smallest) {
    total += plain.length;
    continue;
  }
  // mtime 0 keeps the time of the build out of the header.
  const packed = gzipSync(plain, { level: 9, mtime: 0 });
  writeFileSync(`${path}.gz`, packed);
  rmSync(path);
  total += packed.length;
}
console.log(`packed: ${(total / 1e6).toFixed(2)} MB in ${dist.split('/').slice(-3).join('/')}`);
