# R's answers where widely used libraries were seen to give another one.
#
#   Rscript traps.R [folder]
#
# writes data_traps.csv, answers_traps.csv and versions_traps.csv; 17 digits. Needs survival and cmprsk.

suppressPackageStartupMessages({
  library(survival)
  library(cmprsk)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
z95 <- qnorm(0.975)

digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
write_rows <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write.csv(rows, file.path(folder, name), row.names = FALSE, quote = FALSE, na = "")
}
answer <- function(case, key, estimate, std_error = NA, low = NA, high = NA) {
  data.frame(case = case, key = as.character(key), estimate = as.numeric(estimate), std_error = as.numeric(std_error),
             conf_low = as.numeric(low), conf_high = as.numeric(high), row.names = NULL)
}

# Sixty people in thirty employers, monthly times with many ties, half of them seen from a later month on.
set.seed(4)
n <- 60
people <- data.frame(
  person = seq_len(n),
  employer = rep(1:30, each = 2),
  arm = rep(c("control", "ips"), n / 2),
  age = sample(20:55, n, TRUE),
  entry = ifelse(seq_len(n) %% 2 == 0, 0L, sample(0:5, n, TRUE)),
  weight = round(runif(n, 0.5, 3), 3)
)
frailty <- rnorm(30, 0, 0.5)[people$employer]
rate <- 0.10 * exp(0.5 * (people$arm == "ips") - 0.01 * (people$age - 40) + frailty)
people$time <- as.integer(pmin(people$entry + 1 + floor(rexp(n, rate)), 18))
people$event <- ifelse(people$time == 18, 0L, sample(c(0L, 1L, 1L, 1L, 2L), n, TRUE))
write_rows(people, "data_traps.csv")

# Ten people with monthly times: exact ties, nothing is jittered.
ten <- data.frame(time = c(1, 1, 2, 2, 2, 3, 4, 5, 5, 6), event = c(1, 2, 1, 1, 0, 2, 0, 1, 1, 0))
fit <- survfit(Surv(time, factor(event, 0:2)) ~ 1, ten, conf.type = "log-log")
rows <- answer("ties", fit$time, fit$pstate[, 2], fit$std.err[, 2])

# The error of the restricted mean is a sampling error.
restricted <- survfit(Surv(time, event == 1) ~ arm, people)
means <- summary(restricted, rmean = 12)$table
rows <- rbind(rows, answer("rmst", c("control", "ips"), means[, "rmean"], means[, "se(rmean)"]))

# Delayed entry in the curve, and in the prediction of a Cox model.
late <- survfit(Surv(entry, time, event == 1) ~ 1, people, conf.type = "log-log")
seen <- summary(late, times = c(6, 12, 17))
rows <- rbind(rows, answer("entry_curve", seen$time, seen$surv, seen$std.err, seen$lower, seen$upper))

# Robust errors that respect ties, delayed entry and clusters.
for (case in c("efron", "breslow")) {
  fit <- coxph(Surv(entry, time, event == 1) ~ I(arm == "ips") + age, people, cluster = employer, ties = case)
  rows <- rbind(rows, answer(paste0("cox_", case), c("ips", "age"), coef(fit), sqrt(diag(vcov(fit)))))
}

# Weights that are not counts: errors by the infinitesimal jackknife.
weighted <- survfit(Surv(time, event == 1) ~ 1, people, weights = weight, robust = TRUE, conf.type = "log-log")
seen <- summary(weighted, times = c(3, 6, 12))
rows <- rbind(rows, answer("weighted_curve", seen$time, seen$surv, seen$std.err, seen$lower, seen$upper))

# At risk at t are those with time >= t.
plain <- survfit(Surv(time, event == 1) ~ 1, people)
rows <- rbind(rows, answer("at_risk", plain$time, plain$n.risk))

# Fine-Gray under heavy ties: R has two answers, which differ in the handling of ties with censorings.
people$ips <- as.integer(people$arm == "ips")
gray <- crr(people$time, people$event, cbind(ips = people$ips, age = people$age))
rows <- rbind(rows, answer("fine_gray_cmprsk", c("ips", "age"), gray$coef, sqrt(diag(gray$var))))
expanded <- finegray(Surv(time, factor(event, 0:2)) ~ ., people, etype = "1", id = person)
gray <- coxph(Surv(fgstart, fgstop, fgstatus) ~ ips + age, expanded, weights = fgwt, cluster = person, ties = "breslow")
rows <- rbind(rows, answer("fine_gray_survival", c("ips", "age"), coef(gray), sqrt(diag(vcov(gray)))))

write_rows(rows, "answers_traps.csv")
packages <- c("survival", "cmprsk")
write_rows(data.frame(name = c("R", packages), version = c(as.character(getRversion()),
  vapply(packages, function(p) as.character(packageVersion(p)), ""))), "versions_traps.csv")
