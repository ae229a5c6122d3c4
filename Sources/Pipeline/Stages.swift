import System

/// The result of work that may fail, where a task group wants a value.
package func outcome<Value>(
  _ body: () async throws(Failure) -> Value
) async -> Result<Value, Failure> {
  do throws(Failure) {
    return .success(try await body())
  } catch {
    return .failure(error)
  }
}

/// What a pipeline does with each of its channels when a stage has failed.
package protocol FailableChannel: Sendable {
  func fail(_ error: Failure)
}

/// Stages that run side by side, and the channels between them.
package protocol Pipeline: Sendable {
  typealias Stage = @Sendable () async throws(Failure) -> Void

  var failure: FirstFailure { get }
  var channels: [any FailableChannel] { get }
}

extension Pipeline {
  /// Ends every stage with this error, or with the one that came before it.
  package func fail(_ error: Failure) {
    let first = failure.note(error)
    for channel in channels { channel.fail(first) }
  }

  /// Runs `stages` beside `last`, to the end of all; throws the failure that was first.
  package func run<Value: Sendable>(
    _ stages: [Stage], beside last: () async throws(Failure) -> Value
  ) async throws(Failure) -> Value {
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
  package func runWorkers(
    _ count: Int, _ worker: @escaping @Sendable () async throws(Failure) -> Void
  ) async throws(Failure) {
    let failed = await withTaskGroup(of: Failure?.self) { group in
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
