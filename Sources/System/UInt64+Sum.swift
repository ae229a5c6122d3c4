extension UInt64 {
  /// The sum, or the largest number if it is above that: of sizes that somebody else wrote down.
  package func addingUpTo(_ other: UInt64) -> UInt64 {
    let (sum, isTooLarge) = addingReportingOverflow(other)
    return isTooLarge ? .max : sum
  }
}
