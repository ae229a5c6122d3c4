import CNettle

/// A keyed hash of one message: HMAC with SHA-256, made by nettle. (RFC 2104; nettle, `hmac.h`)
func hmacSHA256(_ key: [UInt8], _ message: String) -> [UInt8] {
  var context = hmac_sha256_ctx()
  let message = Array(message.utf8)
  // Invariant: context and arrays are lent for the calls, the arrays with their lengths; the result
  // is as long as nettle is told.
  unsafe nettle_hmac_sha256_set_key(&context, key.count, key)
  unsafe nettle_hmac_sha256_update(&context, message.count, message)
  return unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
    unsafe nettle_hmac_sha256_digest(&context, 32, buffer.baseAddress)
    count = 32
  }
}
