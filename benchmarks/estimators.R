# One task in R: reads the columns written by estimators.py, times the fit alone, prints a line of JSON.
#
#   Rscript benchmarks/estimators.R {curve,incidence,cox} FOLDER ROWS

suppressPackageStartupMessages(library(survival))
asked <- commandArgs(trailingOnly = TRUE)
task <- asked[1]
folder <- asked[2]
rows <- as.integer(asked[3])
whole <- function(name) readBin(file.path(folder, paste0(name, ".bin")), "integer", rows, size = 4)
real <- function(name) readBin(file.path(folder, paste0(name, ".bin")), "double", rows, size = 8)
people <- data.frame(time = whole("time"), event = whole("event"))
if (task == "cox") {
  people$cluster <- whole("cluster")
  for (name in paste0("x", 0:9)) people[[name]] <- real(name)
} else {
  people$group <- factor(whole("group"))
}
peak <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
number <- function(x) paste0("[", paste(ifelse(is.finite(x), formatC(x, digits = 17, format = "g"), "null"), collapse = ","), "]")
told <- list()
seconds <- system.time({
  if (task == "curve") {
    fit <- survfit(Surv(time, event == 1) ~ group, people, conf.type = "log-log")
  } else if (task == "incidence") {
    fit <- survfit(Surv(time, factor(event, 0:2)) ~ group, people, conf.type = "log-log")
  } else {
    fit <- coxph(Surv(time, event == 1) ~ x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9, people, cluster = cluster)
  }
})[["elapsed"]]
if (task == "cox") {
  told <- list(estimate = coef(fit), std_error = sqrt(diag(vcov(fit))))
} else {
  found <- summary(fit, times = 0:43, extend = TRUE)
  told <- if (task == "curve") {
    list(estimate = found$surv, conf_low = found$lower, conf_high = found$upper, std_error = found$std.err)
  } else {
    list(estimate = found$pstate[, 2], conf_low = found$lower[, 2], conf_high = found$upper[, 2], std_error = found$std.err[, 2])
  }
}
parts <- vapply(names(told), function(name) sprintf("\"%s\": %s", name, number(as.numeric(told[[name]]))), "")
cat(sprintf("{\"seconds\": %.4f, \"start\": null, \"peak_mib\": %.0f, %s}\n", seconds, peak(), paste(parts, collapse = ", ")))
