import CCurl
import PostgresFormat
import System

/// libcurl's easy handle, and the multi handle that it is performed with: one connection, which is
/// kept open between requests.
///
/// Options that libcurl refuses are remembered, and reported by `perform`.
@safe
struct EasyHandle: ~Copyable {
  // Invariant: both handles, the list and the buffer are made and freed with this value, and used by
  // nobody else.
  private let easy: UnsafeMutableRawPointer
  private let multi: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  private var lines: UnsafeMutablePointer<curl_slist>?
  private let faults = FaultBox()

  private final class FaultBox {
    var first = CURLE_OK
  }

  /// Makes the handles; nil if there is no memory for them. The library must be loaded.
  init?() {
    guard let easy = unsafe loaded_easy_init() else { return nil }
    guard let multi = unsafe loaded_multi_init() else {
      unsafe loaded_easy_cleanup(easy)
      return nil
    }
    unsafe self.easy = easy
    unsafe self.multi = multi
    unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    unsafe lines = nil
  }

  deinit {
    unsafe loaded_easy_cleanup(easy)
    unsafe loaded_multi_cleanup(multi)
    unsafe loaded_slist_free_all(lines)
    unsafe errorText.deallocate()
  }

  /// Takes all options back; the connection stays open.
  mutating func reset() {
    unsafe loaded_easy_reset(easy)
    unsafe loaded_slist_free_all(lines)
    unsafe lines = nil
    faults.first = CURLE_OK
    unsafe errorText[0] = 0
    note(unsafe loaded_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText))
  }

  private func note(_ result: CURLcode) {
    if faults.first == CURLE_OK { faults.first = result }
  }

  func set(_ option: CURLoption, _ value: Int) {
    note(unsafe loaded_set_long(easy, option, value))
  }

  func set(_ option: CURLoption, size: Int) {
    note(unsafe loaded_set_size(easy, option, size))
  }

  /// Sets a text, which libcurl copies.
  func set(_ option: CURLoption, _ value: String) {
    note(unsafe loaded_set_text(easy, option, value))
  }

  /// Takes away a text that libcurl sets by itself.
  func unset(_ option: CURLoption) {
    note(unsafe loaded_set_pointer(easy, option, nil))
  }

  @unsafe func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer) {
    note(unsafe loaded_set_pointer(easy, option, pointer))
  }

  @unsafe func set(_ option: CURLoption, receiver: curl_write_callback) {
    note(unsafe loaded_set_receiver(easy, option, receiver))
  }

  @unsafe func set(sender: curl_read_callback) { note(unsafe loaded_set_sender(easy, sender)) }

  @unsafe func set(rewinder: curl_seek_callback) {
    note(unsafe loaded_set_rewinder(easy, rewinder))
  }

  /// Sets the header's lines, which stay until the next reset.
  mutating func set(headers: [HTTPHeader]) {
    for header in headers {
      // libcurl takes a line that ends with a semicolon for a header without a value.
      let line = header.value.isEmpty ? header.name + ";" : "\(header.name): \(header.value)"
      guard let longer = unsafe loaded_slist_append(lines, line) else {
        return note(CURLE_OUT_OF_MEMORY)
      }
      unsafe lines = longer
    }
    if let lines = unsafe lines { unsafe set(CURLOPT_HTTPHEADER, pointer: lines) }
  }

  /// How long one wait for the network is, in milliseconds: a signal is noticed after it.
  private static let waitTime: Int32 = 100

  /// Sends the request and takes the answer; throws if a signal ends the program meanwhile, or whatever
  /// else ends waits of this thread.
  func perform() throws(Failure) -> CURLcode {
    guard faults.first == CURLE_OK else { return faults.first }
    guard unsafe loaded_multi_add_handle(multi, easy) == CURLM_OK else {
      return CURLE_OUT_OF_MEMORY
    }
    defer { unsafe _ = loaded_multi_remove_handle(multi, easy) }
    var runningCount: Int32 = 1
    while true {
      try Interruption.checkWait()
      guard unsafe loaded_multi_perform(multi, &runningCount) == CURLM_OK else {
        return CURLE_OUT_OF_MEMORY
      }
      if runningCount == 0 { return unsafe loaded_take_result(multi) }
      guard unsafe loaded_multi_wait(multi, Self.waitTime) == CURLM_OK else {
        return CURLE_OUT_OF_MEMORY
      }
    }
  }

  /// What libcurl says of the last error.
  func text(of code: CURLcode) -> String {
    // Invariant: the buffer ends with a zero, which libcurl or `reset` wrote; the other string is
    // libcurl's own.
    let text = unsafe String(cString: errorText)
    return text.isEmpty ? unsafe String(cString: loaded_strerror(code)) : text
  }

  /// The errno value of the last connection that failed; 0 if none did.
  var systemError: Int32 {
    var number = 0
    unsafe _ = loaded_get_long(easy, CURLINFO_OS_ERRNO, &number)
    return Int32(truncatingIfNeeded: number)
  }
}
