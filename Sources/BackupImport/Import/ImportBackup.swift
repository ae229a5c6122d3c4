/// Imports a backup: reads it once, writes its layers, and last the index.
///
/// When anything fails, or the program is interrupted, the timeline's directory is left without an
/// index and without what was written. Throws an `ImportError` whose code is the program's exit
/// code. Memory: `ImportPlan` says how it is bounded.
public func importBackup(
  _ options: ImportOptions, progress: (any ProgressReporting)?
) async throws(ImportError) -> ImportSummary {
  let start = ContinuousClock.now
  let pipeline = try ImportPipeline(plan: try ImportPlan(options), progress: progress)
  var summary = try await pipeline.run()
  summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return summary
}
