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

/// Stages that run side by side, and the channels between them.
protocol Pipeline: Sendable {
  /// Ends every stage with this error; the first one counts.
  func fail(_ error: ImportError)
}

extension Pipeline {
  /// Runs a stage; one that fails ends all others with its error.
  func stage(_ body: () async throws(ImportError) -> Void) async {
    if case .failure(let error) = await outcome(body) { fail(error) }
  }

  /// Runs a worker `count` times at once, to the end of all; throws the error of one that failed.
  ///
  /// That one ends every stage, and with them the others: they would wait for ever for what comes
  /// behind the batch that it has not handed on.
  func runWorkers(
    _ count: Int, _ worker: @escaping @Sendable () async throws(ImportError) -> Void
  ) async throws(ImportError) {
    let failure = await withTaskGroup(of: ImportError?.self) { group in
      for _ in 0..<count {
        group.addTask {
          guard case .failure(let error) = await outcome(worker) else { return nil }
          fail(error)
          return error
        }
      }
      return await group.reduce(nil) { $0 ?? $1 }
    }
    if let failure { throw failure }
  }
}
