# Two thousand bootstrap replicates as R's users write them, timed inside R.
#
#   Rscript resampling_peers.R folder replicates
#
# reads months.csv (a row a person, a column a month) and times.csv; prints a line a task: name, seconds, estimate, error.

suppressPackageStartupMessages({
  library(boot)
  library(survival)
})
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
replicates <- as.integer(arguments[2])
months <- read.csv(file.path(folder, "months.csv"))
times <- read.csv(file.path(folder, "times.csv"))
y <- as.matrix(months[, -1])
arm <- months$arm == "ips"
said <- function(task, seconds, estimate, error) cat(task, seconds, formatC(estimate, digits = 17), error, "\n")

set.seed(1)
curve <- function(d, i) colMeans(d[i, , drop = FALSE][arm[i], ]) - colMeans(d[i, , drop = FALSE][!arm[i], ])
taken <- system.time(b <- boot(y, curve, R = replicates, strata = factor(arm)))[["elapsed"]]
said("curve", taken, b$t0[43], sd(b$t[, 43]))

mean_time <- function(d) summary(survfit(Surv(time, event) ~ arm, d), rmean = 43)$table[, "rmean"]
gap <- function(d, i) { m <- mean_time(d[i, ]); m[["arm=ips"]] - m[["arm=control"]] }
taken <- system.time(b <- boot(times, gap, R = replicates, strata = factor(times$arm)))[["elapsed"]]
said("rmst", taken, b$t0, sd(b$t))
