# First jobs and jobs held in R: survival 3.x (survfit, quantile) and stats::t.test. Run in this folder: Rscript staying.R [folder for answers]
suppressMessages(library(survival))
out <- commandArgs(trailingOnly = TRUE)
out <- if (length(out)) out[1] else "."
set.seed(20261122)
n <- 160
people <- data.frame(arm = rep(c("ips", "control"), each = n / 2))
people$tenure <- pmin(rgeom(n, 0.09) + 1, 30)
people$ended <- as.integer(people$tenure < 30 & runif(n) < 0.85)
people$back_after <- pmin(rgeom(n, 0.10) + 1, 24)
people$back <- ifelse(people$back_after == 24, 0, sample(c(0, 1, 1, 1, 2), n, replace = TRUE))
people$number_of_jobs <- rpois(n, ifelse(people$arm == "ips", 1.6, 1))
people$longest_job <- ifelse(people$number_of_jobs == 0, 0, people$tenure)
people$copies <- sample(1:3, n, replace = TRUE)
answers <- NULL
add <- function(question, group, time, estimate, std_error = NA, low = NA, high = NA, p = NA)
  answers <<- rbind(answers, data.frame(question, group, time, estimate, std_error, low, high, p))
for (copies in c("plain", "copies")) {
  weight <- if (copies == "copies") people$copies else rep(1, n)
  for (arm in c("control", "ips")) {
    own <- people$arm == arm
    d <- people[rep(which(own), weight[own]), ]
    fit <- survfit(Surv(tenure, ended) ~ 1, data = d, conf.type = "log-log")
    for (t in c(1, 6, 12, 24)) {
      s <- summary(fit, times = t)
      add(paste("tenure", copies), arm, t, s$surv, s$std.err, s$lower, s$upper)
    }
    q <- quantile(fit, c(0.25, 0.5, 0.75))
    for (i in 1:3) add(paste("quartile", copies), arm, c(25, 50, 75)[i], q$quantile[i], NA, q$lower[i], q$upper[i])
    back <- survfit(Surv(back_after, factor(back, 0:2)) ~ 1, data = d, id = seq_len(nrow(d)), conf.type = "log-log")
    for (t in c(1, 3, 6, 12)) {
      s <- summary(back, times = t)
      add(paste("back", copies), arm, t, s$pstate[1, 2], s$std.err[1, 2], s$lower[1, 2], s$upper[1, 2])
    }
  }
  d <- people[rep(seq_len(n), weight), ]
  for (what in c("number_of_jobs", "longest_job")) {
    t <- t.test(d[d$arm == "ips", what], d[d$arm == "control", what])
    add(paste(what, copies), "ips - control", NA, unname(t$estimate[1] - t$estimate[2]), t$stderr, t$conf.int[1], t$conf.int[2], t$p.value)
    for (arm in c("control", "ips")) {
      one <- t.test(d[d$arm == arm, what])
      add(paste(what, copies), arm, NA, unname(one$estimate), one$stderr, one$conf.int[1], one$conf.int[2])
    }
  }
}
digits <- function(d) { for (c in names(d)) if (is.numeric(d[[c]])) d[[c]] <- ifelse(is.na(d[[c]]), "", formatC(d[[c]], digits = 17, format = "g")); d }
write.csv(digits(people), file.path(out, "staying_people.csv"), row.names = FALSE, quote = FALSE)
write.csv(digits(answers), file.path(out, "staying_answers.csv"), row.names = FALSE, quote = FALSE)
versions <- data.frame(name = c("R", "survival"), version = c(paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("survival"))))
write.csv(versions, file.path(out, "staying_versions.csv"), row.names = FALSE, quote = FALSE)
