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

/// What a pipeline does with each of its channels when a stage has failed.
protocol FailableChannel: Sendable {
  func fail(_ error: ImportError)
}

/// Stages that run side by side, and the channels between them.
protocol Pipeline: Sendable {
  typealias Stage = @Sendable () async throws(ImportError) -> Void

  var failure: FirstFailure { get }
  var channels: [any FailableChannel] { get }
}

extension Pipeline {
  /// Ends every stage with this error, or with the one that came before it.
  func fail(_ error: ImportError) {
    let first = failure.note(error)
    for channel in channels { channel.fail(first) }
  }

  /// Runs `stages` beside `last`, to the end of all; throws the failure that was first.
  func run<Value: Sendable>(
    _ stages: [Stage], beside last: () async throws(ImportError) -> Value
  ) async throws(ImportError) -> Value {
    let result = await withTaskGroup(of: Void.self) { group in
      for stage in stages {
        group.addTask {
          if case .failure(let error) = await outcome(stage) { fail(error) }
        }
      }
      let result = await outcome(last)
      if case .failure(let error) = result { fail(error) }
      return result
    }
    if case .failure(let error) = result { throw failure.note(error) }
    return try result.get()
  }

  /// Runs a worker `count` times at once, to the end of all; throws the error of one that failed.
  ///
  /// That one ends every stage, and with them the others: they would wait for ever for what comes
  /// behind the batch that it has not handed on.
  func runWorkers(
    _ count: Int, _ worker: @escaping @Sendable () async throws(ImportError) -> Void
  ) async throws(ImportError) {
    let failed = await withTaskGroup(of: ImportError?.self) { group in
      for _ in 0..<count {
        group.addTask {
          guard case .failure(let error) = await outcome(worker) else { return nil }
          fail(error)
          return error
        }
      }
      return await group.reduce(nil) { $0 ?? $1 }
    }
    if let failed { throw failed }
  }
}
