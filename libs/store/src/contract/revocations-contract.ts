import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { oddNames } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

export function revocationsContract(stores: ContractStores): void {
  describe("revocations", () => {
    test("the latest time counts, whichever came last; users and tokens of one name are two", async () => {
      const { revocations } = stores.store;
      await revocations.put("user:eve", 2_000);
      await stores.second.revocations.put("user:eve", 1_000);
      await revocations.put("token:eve", 5);
      const found = await stores.second.revocations.find(["token:eve", "user:nobody", "user:eve"]);
      assert.deepEqual(found, [5, null, 2_000]);
      await stores.second.revocations.put("user:eve", 3_000);
      assert.deepEqual(await revocations.find(["user:eve"]), [3_000]);
      assert.deepEqual(await revocations.find([]), []);
    });

    test("odd ids are each their own", async () => {
      const { revocations } = stores.store;
      for (const [i, name] of oddNames.entries()) await revocations.put(`user:${name}`, i + 1);
      assert.deepEqual(
        await stores.second.revocations.find(oddNames.map((name) => `user:${name}` as const)),
        oddNames.map((_, i) => i + 1),
      );
    });
  });
}
