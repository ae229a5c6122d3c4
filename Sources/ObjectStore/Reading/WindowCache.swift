import Synchronization

/// Windows of the files of one directory, the ones used last: pieces of 128 KiB.
///
/// Memory: as much as it is given, 64 MiB if nobody says otherwise.
final class WindowCache: Sendable {
  /// The length of a window; the last one of a file is shorter.
  static let windowByteCount = 128 << 10
  /// The bytes that are usual.
  static let usualMemory = 64 << 20
  private let windowLimit: Int

  private struct Key: Hashable {
    var file: Int
    var window: Int
  }

  private struct Window {
    var bytes: ArraySlice<UInt8>
    var lastUse: UInt64
    var isUsed = false
  }

  private struct State {
    var fileCount = 0
    var useCount: UInt64 = 0
    var windows: [Key: Window] = [:]
    var aheadLimit: Int
  }

  private let state: Mutex<State>

  /// A cache of so many bytes.
  init(memory: Int) {
    windowLimit = max(2, memory / Self.windowByteCount)
    state = Mutex(State(aheadLimit: min(32, windowLimit / 2)))
  }

  /// A number for one more file.
  func newFile() -> Int {
    state.withLock { state in
      state.fileCount += 1
      return state.fileCount
    }
  }

  /// How many windows one request may get before they are wanted: 4 MiB, or half of all, and half as many
  /// each time that one had to go without having been used, as when many files are read at once.
  var aheadLimit: Int { state.withLock { $0.aheadLimit } }

  /// Whether a window is still there.
  func contains(_ window: Int, ofFile file: Int) -> Bool {
    state.withLock { $0.windows[Key(file: file, window: window)] != nil }
  }

  /// A window that is still there.
  func window(_ window: Int, ofFile file: Int) -> ArraySlice<UInt8>? {
    state.withLock { state in
      let key = Key(file: file, window: window)
      guard let bytes = state.windows[key]?.bytes else { return nil }
      state.useCount += 1
      state.windows[key]?.lastUse = state.useCount
      state.windows[key]?.isUsed = true
      return bytes
    }
  }

  /// Keeps a window, in the place of the one that was not used for the longest time.
  func keep(_ bytes: ArraySlice<UInt8>, number: Int, ofFile file: Int) {
    state.withLock { state in
      // To look at all of them costs less than the request that fetched this one.
      if state.windows.count >= windowLimit,
        let oldest = state.windows.min(by: { $0.value.lastUse < $1.value.lastUse })?.key
      {
        if state.windows[oldest]?.isUsed == false {
          state.aheadLimit = max(1, state.aheadLimit / 2)
        }
        state.windows[oldest] = nil
      }
      state.useCount += 1
      // A copy: a slice would keep all of the array that it is of.
      state.windows[Key(file: file, window: number)] = Window(
        bytes: ArraySlice(Array(bytes)), lastUse: state.useCount)
    }
  }
}
