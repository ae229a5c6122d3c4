/// The result of work that may fail, where a task group wants a value.
func outcome<Value>(
  _ body: () async throws(ImportError) -> Value
) async -> Result<Value, ImportError> {
  do throws(ImportError) {
    return .success(try await body())
  } catch {
    return .failure(error)
  }
}

/// Runs a worker `count` times at once, to the end of all; throws the error of one that failed.
func runWorkers(
  _ count: Int, _ worker: @escaping @Sendable () async throws(ImportError) -> Void
) async throws(ImportError) {
  let failure = await withTaskGroup(of: ImportError?.self) { group in
    for _ in 0..<count {
      group.addTask {
        if case .failure(let error) = await outcome(worker) { return error }
        return nil
      }
    }
    return await group.reduce(nil) { $0 ?? $1 }
  }
  if let failure { throw failure }
}
