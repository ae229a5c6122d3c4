import Glibc

/// The target that libFuzzer runs, named by `FUZZ_TARGET`.
///
/// An environment variable, since libFuzzer restarts itself with its own arguments to minimise and
/// to merge.
private let chosenTarget: FuzzTarget = {
  // Invariant: the string is copied before anything changes the environment.
  let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    fatalError("FUZZ_TARGET names no target; there are: \(names)")
  }
  return target
}()

/// The function that libFuzzer calls for each input. 0 means that the input may join the corpus.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ byteCount: Int) -> CInt {
  // Invariant: libFuzzer lends `byteCount` bytes for the call; a null pointer comes with none.
  let buffer = unsafe UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : byteCount)
  _ = chosenTarget.run(unsafe buffer.bytes)
  return 0
}
