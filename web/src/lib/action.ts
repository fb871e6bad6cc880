// Something that a button does: while it runs, and what came of it.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "@/api/client";

export interface Action {
  busy: boolean;
  /** Why the last run failed. */
  failure?: ApiError;
  /** Runs it; what pages show is fetched anew afterwards. It reports whether all went well. */
  run: (work: () => Promise<unknown>) => Promise<boolean>;
}

export function useAction(): Action {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [failure, fail] = useState<ApiError>();
  const run = async (work: () => Promise<unknown>) => {
    setBusy(true);
    fail(undefined);
    try {
      await work();
      return true;
    } catch (error) {
      fail(error instanceof ApiError ? error : new ApiError(0, 0, String((error as Error).message ?? error)));
      return false;
    } finally {
      setBusy(false);
      void client.invalidateQueries();
    }
  };
  return { busy, failure, run };
}
